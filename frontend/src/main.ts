import "./styles/tokens.css";
import "./styles/page.css";
import "./styles/words.css";
import "./styles/dialogs.css";
import "./styles/stage.css";
import "./styles/forced.css";
import { sessionIdOf, takeToken } from "./api/link";
import { ExamPage } from "./exam-page";
import { announce } from "./view/announce";
import { deniedPage } from "./view/denied";
import { refuseDrops } from "./view/drops";
import { PreferenceStore } from "./view/prefs";
import { followVisibleHeight } from "./view/visible-height";

const place = document.getElementById("page");
if (place !== null) {
  const token = takeToken(window.location, window.history);
  const sessionId = sessionIdOf(window.location.pathname);
  followVisibleHeight();
  refuseDrops(window, () => announce("Files and links cannot be dropped here."));
  if (sessionId === null) place.replaceChildren(deniedPage());
  else void new ExamPage(sessionId, place, new PreferenceStore()).run(token);
}
