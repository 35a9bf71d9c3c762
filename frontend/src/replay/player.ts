import "asciinema-player/dist/bundle/asciinema-player.css";
import "./player.css";
import { create, type Player } from "asciinema-player";
import type { PlayerOrder } from "./player-frame";

/**
 * Runs in the frame that plays: its policy gives it an origin of its own, so that whatever a
 * recorded byte may do to the player reaches neither the login nor the page around it.
 */
const screen = document.getElementById("screen");
let player: Player | null = null;

window.addEventListener("message", ({ source, data }: MessageEvent<PlayerOrder>) => {
  if (source !== window.parent || screen === null) return;
  if (data.order === "seek") return void player?.seek(data.seconds);
  // What is forged in a title or an attribute of the text stays text: the player runs none of it.
  player ??= create({ data: data.cast }, screen, { fit: "both", markers: data.markers });
});
window.parent.postMessage("ready", window.location.origin);
