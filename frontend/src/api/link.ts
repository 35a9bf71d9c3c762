const SESSION_PATH = /^\/exam\/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\/?$/i;

/** Reads the session's id from the page's path; null for anything else. */
export function sessionIdOf(path: string): string | null {
  return SESSION_PATH.exec(path)?.[1]?.toLowerCase() ?? null;
}

/** Reads the token from the link's fragment (`#token=…`); null without one. */
export function tokenOf(fragment: string): string | null {
  const token = new URLSearchParams(fragment.replace(/^#/, "")).get("token");
  return token === null || token === "" ? null : token;
}

/**
 * Takes the token out of the address bar before anything is sent, so that neither the history
 * nor a screenshot nor a copied address carries it.
 */
export function takeToken(location: Location, history: History): string | null {
  const token = tokenOf(location.hash);
  if (location.hash !== "") {
    history.replaceState(null, "", location.pathname + location.search);
  }
  return token;
}
