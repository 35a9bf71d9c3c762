import "./styles/tokens.css";
import "./styles/page.css";
import "./styles/stage.css";
import { sessionIdOf, takeToken } from "./api/link";
import { ExamPage } from "./exam-page";
import { deniedPage } from "./view/denied";
import { PreferenceStore } from "./view/prefs";
import { followVisibleHeight } from "./view/visible-height";

const place = document.getElementById("page");
if (place !== null) {
  const token = takeToken(window.location, window.history);
  const sessionId = sessionIdOf(window.location.pathname);
  followVisibleHeight();
  if (sessionId === null) place.replaceChildren(deniedPage());
  else void new ExamPage(sessionId, place, new PreferenceStore()).run(token);
}
