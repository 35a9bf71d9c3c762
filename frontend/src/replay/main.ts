import "../styles/tokens.css";
import "../styles/page.css";
import "../styles/words.css";
import "./replay.css";
import "../styles/forced.css";
import { takeToken } from "../api/link";
import { deniedPage } from "../view/denied";
import { PreferenceStore } from "../view/prefs";
import { ReplayPage } from "./replay-page";
import { recordedSessionOf } from "./path";

const place = document.getElementById("page");
if (place !== null) {
  const token = takeToken(window.location, window.history);
  const sessionId = recordedSessionOf(window.location.pathname);
  // The theme that was chosen on any page of this origin.
  new PreferenceStore();
  if (sessionId === null) place.replaceChildren(deniedPage());
  else void new ReplayPage(sessionId, place).run(token);
}
