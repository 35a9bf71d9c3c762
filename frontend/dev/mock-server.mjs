// Serves dist with an imitation of the exam server, for looking at the page and for what the page
// alone does. No test of isolation, access or the protocol between real ends runs against it.
//
//   node dev/mock-server.mjs [port]      then open /exam/<any uuid>#token=<scenario>
//
// Scenarios: created initializing slow blocked ready window running full search help paste warning
//            soon last lost elsewhere exited unreachable terminated ended-by-staff failed
//            failed-candidate denied
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { pipeline } from "node:stream";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { statusOf } from "./mock-status.mjs";
import { endless, HOSTILE, RECORDING } from "./mock-recording.mjs";
import { serveTerminal } from "./mock-terminal.mjs";

const DIST = fileURLToPath(new URL("../dist", import.meta.url));
const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
};

/** What the api sends, from the file that it sends it from. */
const SECURITY = JSON.parse(
  await readFile(new URL("../../api/security-headers.json", import.meta.url), "utf8"),
);

const includes = (paths, path) =>
  paths.some((it) => path === it || (it.endsWith("/") && path.startsWith(it)));

/** The headers of an answer, where the terminal process is reached at `host` like everything here. */
export function securityHeaders(path, host) {
  const { policy } = SECURITY.policies.find(({ paths }) => includes(paths, path));
  const headers = SECURITY.headers.filter(({ paths }) => includes(paths, path));
  const written = policy.join("; ");
  return {
    "content-security-policy": written
      .replaceAll("{terminal-http}", `http://${host}`)
      .replaceAll("{terminal-ws}", `ws://${host}`),
    ...Object.assign({}, ...headers.map((it) => it.headers)),
  };
}

const scenarioOf = (request) =>
  /carrel_login=([a-z-]+)/.exec(request.headers.cookie ?? "")?.[1] ?? "denied";

function json(response, status, body) {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

const notAvailable = (response) =>
  json(response, 404, { code: "session.not_available", status: 404, title: "Not available" });

async function login(request, response) {
  let body = "";
  for await (const piece of request) body += piece;
  const { token } = JSON.parse(body);
  response.writeHead(204, {
    "set-cookie": `carrel_login=${token}; HttpOnly; SameSite=Strict; Path=/`,
  });
  response.end();
}

function events(request, response, id, scenario) {
  if (scenario === "unreachable") return request.socket.destroy();
  const document = documentOf(id, scenario);
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  response.write(`event: status\nid: ${document.revision}\ndata: ${JSON.stringify(document)}\n\n`);
  const streams = open.get(id) ?? new Set();
  open.set(id, streams.add(response));
  request.on("close", () => streams.delete(response));
}

const open = new Map();
const ended = new Set();
const reads = new Map();
const changes = new Map();

/** A scenario's document with what a test has changed in it since. */
function documentOf(id, scenario) {
  return { ...statusOf(id, scenario, ended.has(id)), ...changes.get(id) };
}

function tell(id, document) {
  for (const stream of open.get(id) ?? []) {
    stream.write(`event: status\nid: ${document.revision}\ndata: ${JSON.stringify(document)}\n\n`);
  }
}

function recording(response, scenario) {
  const whole = { recorded: RECORDING, hostile: HOSTILE }[scenario];
  if (whole === undefined && scenario !== "endless") return notAvailable(response);
  response.writeHead(200, { "content-type": "application/octet-stream" });
  if (whole !== undefined) return response.end(whole);
  pipeline(endless(), response, () => undefined);
}

function api(request, response, path) {
  const scenario = scenarioOf(request);
  if (path === "/v1/login") return login(request, response);
  if (path === "/v1/page-config") return json(response, 200, { terminal_url: "/" });
  const [, id, rest] = /^\/v1\/sessions\/([^/]+)(.*)$/.exec(path) ?? [];
  if (id === undefined || scenario === "denied") return notAvailable(response);
  if (rest === "/events") return events(request, response, id, scenario);
  if (rest === "/terminal-tickets")
    return json(response, 201, { ticket: "mock", expires_in_ms: 30000 });
  if (rest === "/terminate") {
    ended.add(id);
    tell(id, documentOf(id, scenario));
    return json(response, 202, {});
  }
  if (rest.startsWith("/recording/")) return recording(response, scenario);
  const count = (reads.get(id) ?? 0) + 1;
  reads.set(id, count);
  if (scenario === "unreachable" && count > 1) return request.socket.destroy();
  return json(response, 200, documentOf(id, scenario));
}

function documentAt(path) {
  if (path === "/replay/player") return "/player.html";
  return path.startsWith("/replay/") ? "/replay.html" : "/index.html";
}

async function file(response, path) {
  const name = path.startsWith("/assets/") ? normalize(path) : documentAt(path);
  try {
    const content = await readFile(join(DIST, name));
    response.setHeader("content-type", TYPES[extname(name)] ?? "application/octet-stream");
    response.end(content);
  } catch {
    response.writeHead(404).end();
  }
}

/**
 * Starts the imitation on loopback; resolves to its address, what changes fields of a session's
 * document, and what ends it.
 */
export async function startMock(port = 0) {
  const server = createServer((request, response) => {
    const path = new URL(request.url, "http://mock").pathname;
    for (const [name, value] of Object.entries(securityHeaders(path, request.headers.host))) {
      response.setHeader(name, value);
    }
    if (path.startsWith("/v1/")) api(request, response, path);
    else void file(response, path);
  });
  server.on("upgrade", (request, socket) => {
    const key = `${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash("sha1").update(key).digest("base64");
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: carrel-terminal.v1\r\n\r\n`,
    );
    serveTerminal(socket, scenarioOf(request));
  });
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  const change = (id, scenario, fields) => {
    const revision = (changes.get(id)?.revision ?? 100) + 1;
    changes.set(id, { ...changes.get(id), ...fields, revision });
    tell(id, documentOf(id, scenario));
  };
  return { address: `http://127.0.0.1:${server.address().port}`, change, close };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { address } = await startMock(Number(process.argv[2] ?? 5199));
  console.log(`${address}/exam/0198a000-0000-7000-8000-000000000001#token=running`);
}
