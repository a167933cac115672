import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { chooseTenant, chosenTenant, session, signIn, signOut, ways, type Session, type Ways } from "./api";
import { Approvals } from "./approvals";
import { Decision, Decisions } from "./decisions";
import { Keys } from "./keys";
import { Containments } from "./containments";
import { Overview } from "./overview";
import { Playground } from "./playground";
import { ResultPage, STAGES, StagePage, type StageId } from "./results";
import { RulePage, Rules } from "./rules";
import { Tools } from "./tools";
import { Problem } from "./ui";

const PAGES = [
  ["overview", "Overview"],
  ["decisions", "Decisions"],
  ["approvals", "Approvals"],
  ["playground", "Playground"],
  ["rules", "Rules"],
  ["models", "Models"],
  ["data", "Data sets"],
  ["tools", "MCP servers"],
  ["infrastructure", "Infrastructure"],
  ["redteam", "Red team"],
  ["privacy", "Privacy"],
  ["keys", "Keys"],
  ["containment", "Containment"],
] as const;

/** The page and what it is about, from the part of the address that servers do not see. */
function place(): { page: string; rest: string; query: URLSearchParams } {
  const [path = "", query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [page = "", ...rest] = path.split("/");
  return { page: page || "overview", rest: rest.map(decodeURIComponent).join("/"), query: new URLSearchParams(query) };
}

function App() {
  const [who, setWho] = useState<Session>();
  const [asked, setAsked] = useState(false);
  const [at, setAt] = useState(place());
  const [, setTenant] = useState(chosenTenant());
  useEffect(() => {
    const moved = () => setAt(place());
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, []);
  useEffect(() => {
    const ticket = /^#ticket=([0-9a-f]{64})$/.exec(location.hash)?.[1];
    // A ticket is used up, so it is of no use in the history either.
    if (ticket) history.replaceState(null, "", location.pathname);
    (ticket ? signIn({ ticket }) : session())
      .then(setWho, () => undefined)
      .finally(() => {
        setAsked(true);
        setAt(place());
      });
  }, []);
  if (!asked) return null;
  if (!who) return <SignIn done={setWho} />;
  const { page, rest, query } = at;
  return (
    <>
      <a class="skip" href="#main" onClick={(e) => (e.preventDefault(), document.getElementById("main")?.focus())}>
        Skip to content
      </a>
      <nav aria-label="Console">
        <a class="brand" href="#/overview">
          <img src="./icon.svg" alt="" width="22" height="22" /> Bartizan
        </a>
        <ul>
          {PAGES.map(([id, title]) => (
            <li key={id}>
              <a href={`#/${id}`} aria-current={page === id ? "page" : undefined}>
                {title}
              </a>
            </li>
          ))}
        </ul>
        <div class="who">
          <Tenants
            who={who}
            changed={(name) => {
              chooseTenant(name);
              setTenant(name);
            }}
          />
          <p title={who.recorded === who.name ? undefined : `In records: ${who.recorded}`}>
            {who.name} <span class="quiet">({who.role})</span>
          </p>
          <button
            onClick={() => {
              signOut().finally(() => location.reload());
            }}
          >
            Sign out
          </button>
          <p class="quiet">{who.version}</p>
        </div>
      </nav>
      <main id="main" tabIndex={-1} key={`${chosenTenant()}`}>
        {page === "decisions" && rest ? <Decision id={rest} who={who} /> : null}
        {page === "decisions" && !rest ? <Decisions query={query} /> : null}
        {page === "approvals" ? <Approvals who={who} /> : null}
        {page === "playground" ? <Playground /> : null}
        {page === "rules" && rest ? <RulePage id={rest} /> : null}
        {page === "rules" && !rest ? <Rules query={query} who={who} /> : null}
        {page in STAGES && rest ? <ResultPage page={page as StageId} id={rest} /> : null}
        {page in STAGES && !rest ? <StagePage key={page} id={page as StageId} /> : null}
        {page === "tools" ? rest ? <ResultPage page="tools" id={rest} /> : <Tools /> : null}
        {page === "keys" ? <Keys who={who} /> : null}
        {page === "containment" ? <Containments who={who} /> : null}
        {PAGES.every(([id]) => id !== page) || page === "overview" ? <Overview who={who} /> : null}
      </main>
    </>
  );
}

function Tenants({ who, changed }: { who: Session; changed: (name: string) => void }) {
  const [name, setName] = useState(chosenTenant() || "default");
  if (who.tenants.length === 1) return <p class="quiet">tenant {who.tenants[0]}</p>;
  if (who.tenants.length > 1)
    return (
      <label>
        Tenant
        <select value={name} onChange={(e) => (setName(e.currentTarget.value), changed(e.currentTarget.value))}>
          {who.tenants.map((tenant) => (
            <option key={tenant}>{tenant}</option>
          ))}
        </select>
      </label>
    );
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        changed(name.trim());
      }}
    >
      <label>
        Tenant
        <input value={name} onInput={(e) => setName(e.currentTarget.value)} autocomplete="off" spellcheck={false} />
      </label>
    </form>
  );
}

function SignIn({ done }: { done: (session: Session) => void }) {
  const [open, setOpen] = useState<Ways>();
  const [error, setError] = useState<string>();
  useEffect(() => {
    document.title = "Sign in · Bartizan";
    ways().then(setOpen, (failure: Error) => setError(failure.message));
  }, []);
  const show = (shown: Parameters<typeof signIn>[0]) =>
    signIn(shown).then(done, (failure: Error) => setError(failure.message));
  return (
    <main class="signin">
      <h1>
        <img src="./icon.svg" alt="" width="28" height="28" /> Bartizan
      </h1>
      {open?.oidc ? (
        <a class="button" href={open.oidc}>
          Sign in with your organisation
        </a>
      ) : null}
      <Problem text={error} />
      <p class="quiet">
        On the machine that runs the gateway, <code>bartizan console</code> prints an address that signs you in.
      </p>
      {open?.key ? <Secret label="Administration key" open={!open.oidc} show={(key) => show({ key })} /> : null}
      {open?.password ? (
        <Secret label="Password for emergencies" note="Each use is on record." show={(password) => show({ password })} />
      ) : null}
    </main>
  );
}

/** A secret that is shown to the gateway. */
function Secret({
  label,
  note,
  open,
  show,
}: {
  label: string;
  note?: string;
  open?: boolean;
  show: (secret: string) => Promise<unknown>;
}) {
  const [secret, setSecret] = useState("");
  const [busy, setBusy] = useState(false);
  return (
    <details open={open}>
      <summary>{label}</summary>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          setBusy(true);
          show(secret).finally(() => setBusy(false));
        }}
      >
        <label>
          {label}
          <input
            type="password"
            required
            value={secret}
            onInput={(e) => setSecret(e.currentTarget.value)}
            autocomplete="current-password"
          />
        </label>
        {note ? <p class="quiet">{note}</p> : null}
        <button disabled={busy}>Sign in</button>
      </form>
    </details>
  );
}

const app = document.getElementById("app");
if (app) render(<App />, app);
