// Draws the API reference from /openapi.json (OpenAPI 3.1). Everything that comes from the document
// becomes a text node or an attribute value; nothing of it is ever parsed as HTML.

const METHODS = ["get", "post", "put", "patch", "delete", "head", "options", "trace"];
const byId = (id) => document.getElementById(id);
let api = {};

// ---- Building nodes

function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== undefined && child !== ""));
  return node;
}

const code = (text) => el("code", {}, String(text));

/** A link, or its words alone where the address is not one a reader should follow. */
function link(words, address) {
  const url = URL.canParse(address, location.href) ? new URL(address, location.href) : undefined;
  return ["http:", "https:", "mailto:"].includes(url?.protocol) ? el("a", { href: address }, words) : words;
}

// ---- Descriptions: the part of Markdown that API descriptions use

/** `code`, **strong** and [links](…) of one line, as nodes. */
function inline(text) {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*|\[[^\]]+\]\([^)\s]+\))/).map((part) => {
    if (/^`.+`$/.test(part)) return code(part.slice(1, -1));
    if (/^\*\*.+\*\*$/.test(part)) return el("strong", {}, ...inline(part.slice(2, -2)));
    const [, words, address] = part.match(/^\[(.+)\]\((.+)\)$/) ?? [];
    return words ? link(words, address) : part;
  });
}

function tableOf(lines) {
  const cells = (line) => line.replace(/^\s*\||\|\s*$/g, "").split("|").map((cell) => inline(cell.trim()));
  const [head, ...body] = lines.filter((line) => !/^[\s|:-]+$/.test(line)).map(cells);
  const row = (tag, parts) => el("tr", {}, ...parts.map((part) => el(tag, {}, ...part)));
  return el("table", {}, el("thead", {}, row("th", head)), el("tbody", {}, ...body.map((parts) => row("td", parts))));
}

/** One block of text between blank lines. `level` is the heading level that a single # stands for. */
function block(text, level) {
  const fence = text.match(/^```.*\n([\s\S]*?)\n?```$/);
  if (fence) return [el("pre", { tabindex: 0 }, code(fence[1]))];
  const lines = text.split("\n");
  const [, hashes, title] = lines[0].match(/^(#+)\s+(.*)/) ?? [];
  if (hashes) {
    const heading = el(`h${Math.min(6, level + hashes.length - 1)}`, {}, ...inline(title));
    return lines.length > 1 ? [heading, ...block(lines.slice(1).join("\n"), level)] : [heading];
  }
  if (lines.length > 1 && lines.every((line) => line.trim().startsWith("|"))) return [tableOf(lines)];
  const first = lines.findIndex((line) => /^\s*([-*]|\d+\.)\s/.test(line));
  if (first > 0) return [...block(lines.slice(0, first).join("\n"), level), ...block(lines.slice(first).join("\n"), level)];
  if (first === 0) {
    const items = text.split(/\n(?=\s*(?:[-*]|\d+\.)\s)/).map((item) => item.replace(/^\s*([-*]|\d+\.)\s+/, ""));
    return [el(/^\s*\d/.test(text) ? "ol" : "ul", {}, ...items.map((item) => el("li", {}, ...inline(item))))];
  }
  return [el("p", {}, ...inline(text))];
}

function prose(text = "", level = 4) {
  const blocks = text.replaceAll("\r", "").match(/^```[\s\S]*?^```|(?:(?!```).+(?:\n|$))+/gm) ?? [];
  return blocks.flatMap((part) => block(part.trimEnd(), level));
}

// ---- Schemas (JSON Schema 2020-12)

function pointer(ref) {
  const keys = ref.replace(/^#\/?/, "").split("/").map((key) => decodeURIComponent(key).replaceAll("~1", "/").replaceAll("~0", "~"));
  return keys.reduce((node, key) => node?.[key], api);
}

const refName = (ref = "") => ref.split("/").at(-1);

/** What a `$ref` points to; keywords beside the `$ref` win. */
function resolve(node) {
  for (let hops = 0; node?.$ref && hops < 16; hops += 1) {
    const { $ref, ...beside } = node;
    node = { ...pointer($ref), ...beside };
  }
  return node ?? {};
}

/** A schema made ready to be described: references followed, `allOf` and “or null” folded in. */
function view(schema, depth = 0) {
  let whole = { ...resolve(schema), name: refName(schema?.$ref) };
  if (depth > 8) return { ...whole, types: [], choices: [] };
  for (const part of whole.allOf ?? []) whole = { ...view(part, depth + 1), ...whole, name: whole.name || refName(part.$ref) };

  const options = whole.oneOf ?? whole.anyOf ?? [];
  const choices = options.filter((option) => resolve(option).type !== "null");
  const types = [whole.type ?? []].flat();
  const nullable = types.includes("null") || choices.length < options.length;
  if (choices.length === 1) {
    const { oneOf, anyOf, name, ...own } = whole;
    const only = view(choices[0], depth + 1);
    return { ...only, ...own, name: name || only.name, nullable };
  }
  const values = choices.map(resolve).flatMap((choice) => choice.enum ?? ("const" in choice ? [choice.const] : [undefined]));
  if (values.length && !values.includes(undefined)) {
    return { ...whole, types: [typeof values[0]], choices: [], nullable, enum: values, meanings: choices.map(resolve) };
  }
  return { ...whole, types: types.filter((type) => type !== "null"), choices, nullable };
}

function typeText(schema, depth = 0) {
  const shape = view(schema);
  if (depth > 4) return "…";
  if (depth && shape.items && shape.name) return shape.name;
  let text = shape.types.join(" or ");
  if (shape.choices.length) text = [...new Set(shape.choices.map((choice) => typeText(choice, depth + 1)))].join(" or ");
  else if (shape.items) text = `array of ${typeText(shape.items, depth + 1)}`;
  else if (shape.properties || text === "object") text = shape.name ? `object (${shape.name})` : "object";
  else if (!text) text = "const" in shape || shape.enum ? typeof (shape.const ?? shape.enum[0]) : "any";
  else if (shape.format) text += ` (${shape.format})`;
  return shape.nullable ? `${text} or null` : text;
}

function range(least, most, unit) {
  if (least === undefined && most === undefined) return undefined;
  if (least === most) return `exactly ${least}${unit}`;
  if (most === undefined) return `at least ${least}${unit}`;
  return least === undefined ? `at most ${most}${unit}` : `${least} to ${most}${unit}`;
}

/** A longer pattern says nothing to a reader; it stays in the document. */
const LONGEST_PATTERN = 40;

/** The limits of a schema, each a list of nodes. An array shows its items' limits after its own. */
function limits(schema, depth = 0) {
  const s = view(schema);
  const written = (value) => (value && typeof value === "string" ? value : JSON.stringify(value));
  const codes = (values) => values.flatMap((value, index) => [index ? ", " : "", code(written(value))]);
  const found = [
    s.enum && ["one of ", ...codes(s.enum)],
    "const" in s && ["always ", ...codes([s.const])],
    range(s.minLength, s.maxLength, " characters"),
    range(s.minimum, s.maximum, ""),
    s.exclusiveMinimum !== undefined && `more than ${s.exclusiveMinimum}`,
    s.exclusiveMaximum !== undefined && `less than ${s.exclusiveMaximum}`,
    s.multipleOf !== undefined && `a multiple of ${s.multipleOf}`,
    range(s.minItems, s.maxItems, " items"),
    s.uniqueItems && "no item twice",
    s.pattern?.length <= LONGEST_PATTERN && ["matches ", code(s.pattern)],
    s.default !== undefined && ["default ", ...codes([s.default])],
    s.readOnly && "set by the server",
    s.writeOnly && "never shown",
    s.deprecated && "deprecated",
  ].filter(Boolean).map((limit) => [limit].flat());
  if (!s.items || depth > 4) return found;
  return [...found, ...limits(s.items, depth + 1).map((limit) => ["each: ", ...limit])];
}

/** Every field under a schema, nested ones by their path, in the order they are written. */
function* fields(schema, path = "", above = []) {
  if (!schema || typeof schema !== "object") return;
  if (schema.$ref) {
    if (above.includes(schema.$ref)) yield { path, again: refName(schema.$ref) };
    else yield* fields(resolve({ $ref: schema.$ref }), path, [...above, schema.$ref]);
  }
  for (const part of schema.allOf ?? []) yield* fields(part, path, above);
  const prefix = path && `${path}.`;
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    yield { path: prefix + name, schema: property, required: schema.required?.includes(name) };
    yield* fields(property, prefix + name, above);
  }
  if (typeof schema.additionalProperties === "object") {
    yield { path: `${prefix}*`, schema: schema.additionalProperties };
    yield* fields(schema.additionalProperties, `${prefix}*`, above);
  }
  yield* fields(schema.items, `${path}[]`, above);
  const choices = (schema.oneOf ?? schema.anyOf ?? []).filter((choice) => resolve(choice).type !== "null");
  for (const [index, choice] of choices.entries()) {
    const rows = [...fields(choice, path, above)];
    if (rows.length && choices.length > 1) yield { path, choice: `${path} ${index ? "or" : "either"} ${choice.title ?? refName(choice.$ref)}` };
    yield* rows;
  }
}

const SAMPLES = {
  uuid: "0199a2b4-7c10-7d3e-9b1f-3a5c8e2d4f60", "date-time": "2026-11-02T09:30:00.000000Z", date: "2026-11-02",
  email: "ada@example.org", uri: "https://example.org/", decimal: "49.90",
};

/** A value that the schema would take: its own example where it has one. */
function sample(schema, above = []) {
  if (!schema || typeof schema !== "object") return undefined;
  const given = schema.examples?.[0] ?? schema.example ?? schema.const ?? schema.enum?.[0] ?? schema.default;
  if (given !== undefined) return given;
  if (schema.$ref) {
    return above.includes(schema.$ref) ? undefined : sample(resolve(schema), [...above, schema.$ref]);
  }
  const option = (schema.oneOf ?? schema.anyOf ?? []).find((choice) => choice.type !== "null");
  const parts = [...(schema.allOf ?? []), ...(option ? [option] : [])].map((part) => sample(part, above));
  if (schema.properties) {
    // An optional constant marks a special case (`deleted: true`), which an ordinary example is not.
    const usual = ([name, property]) => schema.required?.includes(name) || resolve(property).const === undefined;
    const entries = Object.entries(schema.properties).filter(usual).map(([name, property]) => [name, sample(property, above)]);
    parts.push(Object.fromEntries(entries.filter(([, value]) => value !== undefined)));
  }
  if (parts.length) return parts.every((part) => part && typeof part === "object") ? Object.assign({}, ...parts) : parts[0];
  switch ([schema.type].flat()[0]) {
    case "string": return SAMPLES[schema.format] ?? "text";
    case "integer": case "number": return schema.minimum ?? 1;
    case "boolean": return true;
    case "array": return [sample(schema.items, above)].filter((item) => item !== undefined);
    case "object": return {};
    default: return undefined;
  }
}

/** The written examples of a media type or parameter, else one made from its schema. */
function examples(media) {
  if (media.examples) return Object.values(media.examples).map(resolve).map(({ summary, value }) => ({ summary, value }));
  const value = media.example ?? sample(media.schema);
  return value === undefined ? [] : [{ value }];
}

// ---- Tables and examples

/** A table of fields, parameters or headers; rows are what `fields` yields. */
function fieldTable(caption, required, rows) {
  const columns = ["Field", "Type", required, "Limits", "Description"];
  const body = rows.map(({ path, choice, again, schema, ...row }) => {
    const last = path.lastIndexOf(".") + 1;
    if (choice) return el("tr", { role: "row", class: "choice" }, el("th", { role: "rowheader", scope: "rowgroup", colspan: 5 }, choice));
    const cells = again ? ["", "", "", `the same fields again, as ${again} above`] : [
      typeText(schema),
      row.required ? "yes" : "",
      limits(schema).flatMap((limit, index) => [index ? "; " : "", ...limit]),
      [...prose(row.description ?? view(schema).description),
        ...(view(schema).meanings ?? []).filter((value) => value.description)
          .map((value) => el("p", {}, code(value.const ?? value.enum?.join(", ")), ": ", ...inline(value.description)))],
    ];
    return el("tr", { role: "row" },
      el("th", { role: "rowheader", scope: "row" }, el("code", {}, path.slice(0, last), el("b", {}, path.slice(last)))),
      ...cells.map((cell, index) => el("td", { role: "cell", "data-label": index < 3 ? columns[index + 1] : undefined }, ...[cell].flat())));
  });
  return el("table", { class: "fields", role: "table" },
    el("caption", {}, caption),
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, ...columns.map((name) => el("th", { role: "columnheader", scope: "col" }, name)))),
    el("tbody", { role: "rowgroup" }, ...body));
}

function schemaTable(schema, caption, required) {
  const rows = [...fields(schema)];
  if (rows.length) return fieldTable(caption, required, rows);
  return el("p", {}, `${caption}: ${typeText(schema)}`);
}

async function copy(text, pre, button) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
    byId("page-said").textContent = "Copied to the clipboard";
  } catch {
    // The clipboard is closed to pages without TLS, except on the reader's own machine.
    getSelection().selectAllChildren(pre);
    button.textContent = "Selected";
    byId("page-said").textContent = "Selected; copy it with the keyboard";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
}

function figure(caption, text, about) {
  const pre = el("pre", { tabindex: 0, role: "region", "aria-label": `${caption}, ${about}` }, code(text));
  const button = el("button", { type: "button", "aria-label": `Copy: ${caption}, ${about}` }, "Copy");
  button.addEventListener("click", () => copy(text, pre, button));
  return el("figure", {}, el("figcaption", {}, caption, button), pre);
}

const pretty = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));
const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;

// ---- Operations

const server = () => new URL(api.servers?.[0]?.url ?? "/", location.origin).href.replace(/\/$/, "");

/** The words as a fragment that needs no escaping in an address. */
const anchor = (words) => words.replaceAll(/[^A-Za-z0-9_.-]+/g, "-");

function* operations() {
  for (const [path, item] of Object.entries(api.paths ?? {})) {
    for (const method of METHODS.filter((name) => item[name])) {
      const op = item[method];
      const own = (op.parameters ?? []).map(resolve);
      const shared = (item.parameters ?? []).map(resolve).filter((p) => !own.some((o) => o.name === p.name && o.in === p.in));
      const id = anchor(op.operationId ?? method + path);
      yield { ...op, path, method, id, tag: op.tags?.[0] ?? "other", parameters: [...shared, ...own], security: op.security ?? api.security ?? [] };
    }
  }
}

/** Who may call it: in the document's words (`x-who`) where it has them, else from `security`. */
function who(op) {
  const ways = op.security.map((way) => Object.entries(way).map(([name, scopes]) => {
    const scheme = resolve(api.components?.securitySchemes?.[name]);
    const means = scheme.type === "http" ? `a ${scheme.scheme} token` : `the ${scheme.in ?? ""} key ${scheme.name ?? name}`;
    return scopes.length ? `${means} (${scopes.join(", ")})` : means;
  }).join(" and "));
  const needs = ways.filter(Boolean);
  const open = needs.length < ways.length || ways.length === 0;
  const credentials = needs.length ? `${open ? "with or without" : "with"} ${needs.join(", or ")}` : "without credentials";
  return [el("strong", {}, "Who: "), ...inline(op["x-who"] ?? (open ? "anyone" : "a signed-in caller")), `, ${credentials}`];
}

function route(op) {
  const parts = op.path.split(/(\{[^}]+\})/).map((part) => (part.startsWith("{") ? el("var", {}, part) : part));
  return el("p", { class: "route" }, el("span", { class: `method ${op.method}` }, op.method.toUpperCase()), el("code", {}, ...parts));
}

function curl(op, type, value) {
  const example = (parameter) => encodeURIComponent(String(examples(parameter)[0]?.value ?? parameter.name));
  const required = (place) => op.parameters.filter((p) => p.in === place && p.required);
  const path = required("path").reduce((text, p) => text.replace(`{${p.name}}`, () => example(p)), op.path);
  const query = required("query").map((p) => `${encodeURIComponent(p.name)}=${example(p)}`).join("&");
  const lines = [`curl ${op.method === "get" ? "" : `-X ${op.method.toUpperCase()} `}${quote(server() + path + (query && `?${query}`))}`];
  if (op.security.length && op.security.every((way) => Object.keys(way).length)) lines.push('-H "Authorization: Bearer $TOKEN"');
  for (const p of required("header")) lines.push(`-H ${quote(`${p.name}: ${examples(p)[0]?.value ?? ""}`)}`);
  if (value !== undefined) lines.push(`-H ${quote(`Content-Type: ${type}`)}`, `-d ${quote(pretty(value))}`);
  return lines.join(" \\\n  ");
}

const firstMedia = (content = {}) => Object.entries(content).find(([type]) => type === "application/json") ?? Object.entries(content)[0];

function request(op) {
  const nodes = [];
  for (const [place, title] of [["path", "In the path"], ["query", "In the query"], ["header", "Request headers"], ["cookie", "Cookies"]]) {
    const rows = op.parameters.filter((p) => p.in === place).map((p) => ({ ...p, path: p.name, schema: p.schema ?? {} }));
    if (rows.length) nodes.push(fieldTable(title, "Required", rows));
  }
  const body = resolve(op.requestBody);
  const [type, media] = firstMedia(body.content) ?? [];
  if (media) {
    const optional = body.required ? "" : "; may be left out";
    nodes.push(...prose(body.description), schemaTable(media.schema ?? {}, `Request body (${type}${optional})`, "Required"));
  }
  const written = (op["x-codeSamples"] ?? []).map(({ label, lang, source }) => ({ summary: label ?? lang, text: source }));
  const made = (media ? examples(media) : [{}]).map(({ summary, value }) => ({ summary, text: curl(op, type, value) }));
  for (const { summary, text } of written.length ? written : made) {
    nodes.push(figure(summary ? `Example request: ${summary}` : "Example request", text, op.summary ?? op.id));
  }
  return nodes;
}

/** The schema most problem responses share; it is described once, in the introduction. */
function commonProblem(ops) {
  const counts = new Map();
  for (const response of ops.flatMap((op) => Object.values(op.responses ?? {})).map(resolve)) {
    const ref = response.content?.["application/problem+json"]?.schema?.$ref;
    if (ref) counts.set(ref, (counts.get(ref) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0];
}

function success(status, response, op) {
  const nodes = [el("h5", {}, code(status), " ", ...inline(response.description ?? ""))];
  const headers = Object.entries(response.headers ?? {}).map(([name, header]) => ({ schema: {}, ...resolve(header), path: name }));
  if (headers.length) nodes.push(fieldTable("Response headers", "Always", headers));
  const [type, media] = firstMedia(response.content) ?? [];
  if (!media) return nodes;
  nodes.push(schemaTable(media.schema ?? {}, `Response body (${type})`, "Always"));
  for (const { summary, value } of examples(media)) {
    nodes.push(figure(summary ? `Example: ${summary}` : `Example of ${status}`, pretty(value), op.summary ?? op.id));
  }
  return nodes;
}

function refusal(response, problem) {
  const [type, media] = firstMedia(response.content) ?? [];
  const nodes = prose(response.description);
  if (media?.schema && media.schema.$ref !== problem) nodes.push(schemaTable(media.schema, `Body (${type})`, "Always"));
  if (media?.example || media?.examples) nodes.push(...examples(media).map(({ value }) => el("pre", { tabindex: 0 }, code(pretty(value)))));
  return el("dd", {}, ...nodes);
}

function responses(op, problem) {
  const all = Object.entries(op.responses ?? {}).map(([status, response]) => [status, resolve(response)]);
  const refused = ([status]) => /^[45]|default/.test(status);
  const nodes = [el("h4", {}, "Responses"), ...all.filter((entry) => !refused(entry)).flatMap(([status, response]) => success(status, response, op))];
  const refusals = all.filter(refused);
  if (!refusals.length) return nodes;
  const shape = problem ? [" ", el("a", { class: "quiet", href: "#page-problems" }, "(their shape)")] : [];
  return [...nodes, el("h5", {}, "Refusals", ...shape),
    el("dl", {}, ...refusals.flatMap(([status, response]) => [el("dt", {}, status), refusal(response, problem)]))];
}

function operation(op, problem) {
  return el("article", { id: op.id, "aria-labelledby": `${op.id}-title` },
    el("h3", { id: `${op.id}-title` }, el("a", { href: `#${op.id}` }, op.summary ?? op.id)),
    route(op),
    el("p", {}, ...who(op)),
    ...(op.deprecated ? [el("p", { class: "deprecated" }, "Deprecated")] : []),
    ...prose(op.description),
    ...request(op),
    ...responses(op, problem));
}

function introduction(problem) {
  const { title = "API", description } = api.info ?? {};
  const nodes = [el("h1", {}, title), ...prose(description, 2),
    el("p", { class: "quiet" }, "Address: ", code(server()), " · the same as data: ", el("a", { href: "/openapi.json" }, "/openapi.json"))];
  if (problem) {
    nodes.push(el("h2", { id: "page-problems" }, "The shape of a refusal"),
      schemaTable({ $ref: problem }, "Body (application/problem+json)", "Always"));
  }
  return el("section", { id: "page-introduction", "aria-label": "Introduction" }, ...nodes);
}

// ---- The page

function draw() {
  const ops = [...operations()];
  const problem = commonProblem(ops);
  const described = new Map((api.tags ?? []).map((tag) => [tag.name, tag.description]));
  const tags = [...new Set([...described.keys(), ...ops.map((op) => op.tag)])].filter((tag) => ops.some((op) => op.tag === tag));
  const main = [introduction(problem)];
  const nav = [];
  for (const tag of tags) {
    const id = `tag-${anchor(tag)}`;
    const mine = ops.filter((op) => op.tag === tag);
    main.push(el("section", { id, "aria-labelledby": `${id}-title` },
      el("h2", { id: `${id}-title` }, tag), ...prose(described.get(tag), 3), ...mine.map((op) => operation(op, problem))));
    const items = mine.map((op) => el("li", {}, el("a", { href: `#${op.id}` },
      el("span", { class: `method ${op.method}` }, op.method.toUpperCase()), " ", el("span", {}, op.summary ?? op.path))));
    nav.push(el("div", {}, el("p", {}, el("a", { href: `#${id}` }, tag)), el("ul", {}, ...items)));
  }
  byId("page-main").replaceChildren(...main);
  byId("page-nav").replaceChildren(...nav);
  byId("page-title").textContent = document.title = `${api.info?.title ?? "API"} reference`;
  byId("page-version").textContent = api.info?.version ?? "";
  return ops;
}

function wireSearch(ops) {
  const input = byId("page-search");
  const texts = new Map(ops.map((op) => [op.id, [op.method, op.path, op.id, op.tag, op.summary, op.description].join(" ").toLowerCase()]));
  const filter = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const matches = (id) => words.every((word) => texts.get(id).includes(word));
    for (const article of document.querySelectorAll("article")) article.hidden = !matches(article.id);
    for (const item of document.querySelectorAll("nav li")) item.hidden = !matches(item.firstChild.hash.slice(1));
    for (const group of document.querySelectorAll("main > section, nav > div")) {
      group.hidden = words.length > 0 && !group.querySelector("article:not([hidden]), nav li:not([hidden])");
    }
    byId("page-found").textContent = words.length ? `${ops.filter((op) => matches(op.id)).length} of ${ops.length} operations` : "";
    if (words.length) byId("page-menu").open = true;
  };
  input.addEventListener("input", filter);
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && event.target !== input) { event.preventDefault(); input.focus(); }
    if (event.key === "Escape" && event.target === input) { input.value = ""; filter(); }
  });
  return () => { input.value = ""; filter(); };
}

/** Brings the operation that the address names into view, whatever the search has hidden. */
function goToHash(clearSearch) {
  const target = byId(location.hash.slice(1));
  if (!target) return;
  if (target.closest("[hidden]")) clearSearch();
  target.scrollIntoView();
}

function wireNavigation(clearSearch) {
  const wide = matchMedia("(min-width: 60rem)");
  const menu = byId("page-menu");
  const fit = () => { menu.open = wide.matches; };
  wide.addEventListener("change", fit);
  fit();
  menu.addEventListener("click", (event) => { if (event.target.closest("nav a")) fit(); });
  addEventListener("hashchange", () => goToHash(clearSearch));
  goToHash(clearSearch);

  const links = new Map([...document.querySelectorAll("nav li a")].map((a) => [a.hash.slice(1), a]));
  const watcher = new IntersectionObserver((entries) => {
    const entry = entries.find((candidate) => candidate.isIntersecting);
    if (!entry) return;
    for (const [id, a] of links) a.toggleAttribute("aria-current", id === entry.target.id);
    const here = links.get(entry.target.id);
    here.setAttribute("aria-current", "location");
    if (wide.matches) here.scrollIntoView({ block: "nearest" });
  }, { rootMargin: "-10% 0px -80% 0px" });
  for (const article of document.querySelectorAll("article")) watcher.observe(article);
}

try {
  const response = await fetch("/openapi.json", { headers: { Accept: "application/json" } });
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  api = await response.json();
  wireNavigation(wireSearch(draw()));
} catch (error) {
  byId("page-main").replaceChildren(el("p", { role: "alert" },
    `The reference could not be drawn: ${error.message}. The document itself is at `, el("a", { href: "/openapi.json" }, "/openapi.json"), "."));
  throw error;
}
