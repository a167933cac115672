// The admin API as the console sees it: below its own path, with the session's cookie and token.

export interface Session {
  name: string;
  /** What the person is called in records. */
  recorded: string;
  role: string;
  tenants: string[];
  csrf: string;
  version: string;
}

/** Whether they may change things. */
export const mayChange = (who: Session) => who.role === "operator" || who.role === "local";
/** Whether they may decide about calls that wait. */
export const mayApprove = (who: Session) => ["approver", "auditor", "local"].includes(who.role);

/** The ways to sign in. */
export interface Ways {
  key: boolean;
  password: boolean;
  oidc: string | null;
}

export interface Event {
  id: string;
  seq: number;
  time: string;
  tenant: string;
  key: string;
  mode: string;
  verdict: Verdict;
  action: string;
  direction: string;
  protocol: string;
  route: string;
  model: string;
  exchange: string;
  rules: Record<string, number>;
  scores: Record<string, number | null>;
  coverage: Coverage;
  timings: Record<string, number>;
  engine: Record<string, string>;
  policy: string;
  hash: string;
  prev: string;
  candidate?: Verdict | null;
  grounds?: Grounds | null;
  contained?: string[];
  exceptions?: Record<string, number>;
  pseudonyms?: Record<string, string>;
  suppressed?: number;
  failed_open?: boolean;
  calls?: CallRecord[];
}

/** What a verdict was made of. */
export interface Grounds {
  found?: { rule: string; from: string; severity: string; confidence: string; type?: string; redact?: Verdict; least?: Verdict }[];
  injection?: Record<string, number>;
  besides?: Verdict;
  cut?: boolean;
}

export type Verdict = "allow" | "redact" | "hold" | "deny";

export interface Coverage {
  status: string;
  parts: { kind: string; reason: string; bytes: number }[];
}

export interface Status {
  version: string;
  mode: string;
  rules: number;
  upstreams: string[];
  recording: boolean;
  engine: Record<string, string>;
}

export interface Tally {
  hours: { hour: string; verdict: Verdict; decisions: number }[];
  rules: Record<string, number>;
  cut: boolean;
}

export interface Rule {
  id: string;
  summary: string;
  severity: string;
  confidence: string;
  /** The strictest verdict, by where a text is from. */
  verdicts: Record<string, Verdict>;
}

/** A row of the policy. */
export interface Row {
  rule: string;
  from?: string[];
  severity?: string;
  confidence?: string;
  verdict: Verdict;
}

export interface Levels {
  flag?: number;
  block?: number;
}

/** A change of the policy. */
export interface Change {
  rows?: Row[];
  disabled?: string[];
  injection?: Record<string, Levels>;
}

/** What a change would do. */
export interface Tried {
  effect: {
    judged: number;
    untold: number;
    others: number;
    since: string | null;
    cut: boolean;
    pairs: { live: Verdict; changed: Verdict; requests: number; replies: number }[];
    rules: Record<string, number>;
    changed: { event: string; time: string; direction: string; live: Verdict; changed: Verdict; rules: string[] }[];
  };
  toml: string;
}

/** What is tried beside the policy in force. */
export interface Beside {
  tried: boolean;
  staged: { change: Change; by: string; reason: string; since: string; toml: string } | null;
}

export interface Thresholds {
  injection: { from: string; flag: number; block: number }[];
}

export interface Result {
  id: string;
  says: string;
  kind: string;
  source: string;
  sha256?: string;
  made: string;
  state: string;
  summary: string;
  caveat?: string;
}

export interface Results {
  folder: string | null;
  results: Result[];
  total: number;
  next: number | null;
  unread: string[];
  makers: { says: string; command: string }[];
}

export interface Share {
  group: string;
  name: string;
  value: number;
  low: number | null;
  high: number | null;
  counts: string;
}

export interface WholeResult {
  result: Result;
  detail: {
    findings: { rule: string; severity: string; place: string; says: string }[];
    found: number;
    shares: Share[];
    facts: [string, string][];
  };
}

export interface ToolServer {
  name: string;
  url: string;
  tickets: boolean;
  pinned: boolean;
  tools: { name: string; sha256: string | null; description: string; withheld: boolean }[];
  contained: string[];
}

export interface RulePage extends Rule {
  page: string;
  references: string[];
}

export interface Finding {
  rule: string;
  severity: string;
  confidence: string;
  type?: string;
  path?: string;
  start: number;
  end: number;
}

export interface Tested {
  verdict: Verdict;
  scores: Record<string, number | null>;
  flags: Record<string, boolean>;
  findings: Finding[];
  coverage: Coverage;
  redacted: string | null;
  views: { view: string; depth: number; text: string }[];
}

export interface ClientKey {
  name: string;
  state: string;
  created?: string;
  expires?: string | null;
  grant?: Record<string, unknown>;
}

export interface Containment {
  id: string;
  target: string;
  name: string;
  reason: string;
  actor: string;
  since: number;
  until: number;
}

export interface CallRecord {
  tool: string;
  verdict: Verdict;
  reasons?: string[];
  arguments?: { argument: string; trace: string; source?: string; tool?: string; field?: string; bytes: number }[];
  oddities?: string[];
  approval?: string;
}

export interface Approval {
  id: string;
  key: string;
  route: string;
  event: string;
  call: CallRecord & { reasons: string[] };
  state: string;
  asked: number;
  expires: number;
  decided_by: string;
}

export interface ShownApproval {
  approval: Approval;
  shown: {
    arguments: string;
    values: { argument: string; value: string; trace: string; source: string; excerpt: string }[];
  } | null;
}

/** An answer that says no, in the words of the server. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    detail: string,
  ) {
    super(detail);
  }
}

let csrf = "";
let tenant = "";

export const chosenTenant = () => tenant;

export function chooseTenant(name: string) {
  tenant = name;
}

async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = {};
  if (body !== undefined) headers["content-type"] = "application/json";
  if (csrf) headers["x-bartizan-csrf"] = csrf;
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      cache: "no-store",
    });
  } catch {
    throw new Refused(0, "the gateway does not answer");
  }
  const text = await response.text();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = {};
  }
  if (!response.ok) {
    const detail = (value as { detail?: unknown }).detail;
    throw new Refused(response.status, typeof detail === "string" ? detail : `the gateway answered ${response.status}`);
  }
  return value as T;
}

function keep(session: Session): Session {
  csrf = session.csrf;
  if (!tenant && session.tenants[0]) tenant = session.tenants[0];
  return session;
}

export const session = async () => keep(await ask<Session>("GET", "session"));
export const ways = () => ask<Ways>("GET", "ways");
export const signIn = async (shown: { ticket: string } | { key: string } | { password: string }) =>
  keep(await ask<Session>("POST", "session", shown));
export const signOut = async () => {
  await ask("DELETE", "session");
  csrf = "";
};

type Query = Record<string, string | number | undefined>;

function path(operation: string, query: Query, ofTenant: boolean): string {
  const search = new URLSearchParams();
  if (ofTenant && tenant) search.set("tenant", tenant);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== "") search.set(name, String(value));
  }
  const text = search.toString();
  return `admin/v1/${operation}${text ? `?${text}` : ""}`;
}

/** Looks at something of the chosen tenant. */
export const look = <T>(operation: string, query: Query = {}) => ask<T>("GET", path(operation, query, true));
/** Looks at something of the installation. */
export const lookAtAll = <T>(operation: string, query: Query = {}) => ask<T>("GET", path(operation, query, false));
/** Changes something of the chosen tenant. */
export const change = <T>(operation: string, body: unknown, query: Query = {}) => ask<T>("POST", path(operation, query, true), body);
/** Does something that belongs to no tenant. */
export const run = <T>(operation: string, body?: unknown) => ask<T>("POST", path(operation, {}, false), body);
