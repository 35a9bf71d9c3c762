import { expect, it } from "vitest";
import { securityHeaders } from "../../dev/mock-server.mjs";
import { SOON, stage } from "./stage.mjs";

const { open } = stage();

for (const [name, how, path] of [
  ["candidate's page", {}, (id) => `/exam/${id}`],
  ["replay page", { scenario: "recorded", path: "replay" }, (id) => `/replay/${id}`],
  ["frame that plays", { scenario: "recorded", path: "replay" }, () => "/replay/player"],
]) {
  it(`the ${name} comes with every header that the api sends`, async () => {
    const on = await open(how);
    const at = path(on.id);
    const { origin, host } = new URL(on.page.url());
    const came = (await on.context.request.get(`${origin}${at}`)).headers();
    const sent = securityHeaders(at, host);
    expect(Object.keys(sent).length).toBeGreaterThan(5);
    expect(came).toMatchObject(sent);
    await on.close();
  });
}

/** What a page may not do, whoever puts it there, and the directive that says so. */
const FORBIDDEN = [
  [
    "script-src-elem",
    () => {
      const script = document.createElement("script");
      script.textContent = "window.ran = true";
      document.head.append(script);
    },
  ],
  [
    "style-src-attr",
    () => {
      document.body.insertAdjacentHTML("beforeend", '<p style="color: red"></p>');
    },
  ],
  [
    "connect-src",
    () => {
      fetch("https://elsewhere.example/").catch(() => undefined);
    },
  ],
  [
    "frame-src",
    () => {
      const frame = document.createElement("iframe");
      frame.src = "https://elsewhere.example/";
      document.body.append(frame);
    },
  ],
];

it("the browser holds both pages to their policies", async () => {
  for (const how of [{}, { scenario: "recorded", path: "replay" }]) {
    const on = await open(how);
    await on.page.evaluate(() => {
      window.refused = [];
      addEventListener("securitypolicyviolation", (it) => {
        window.refused.push(it.effectiveDirective);
      });
    });
    for (const [directive, attempt] of FORBIDDEN) {
      await on.page.evaluate(attempt);
      await expect.poll(() => on.page.evaluate(() => window.refused), SOON).toContain(directive);
    }
    expect(await on.page.evaluate(() => window.ran)).toBe(undefined);
    // What was just tried, told by the browser itself.
    on.faults.length = 0;
    await on.close();
  }
});
