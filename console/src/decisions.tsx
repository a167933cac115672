import { useEffect, useState } from "preact/hooks";
import { change, look, mayChange, type CallRecord, type Event, type Grounds, type Session } from "./api";
import { Badge, Empty, Facts, Page, Problem, Time, Waiting, WithReason, useLoaded } from "./ui";

const PIECE = 50;
const FILTERS = ["verdict", "rule", "key", "exchange"] as const;

export function Decisions({ query }: { query: URLSearchParams }) {
  const filters = Object.fromEntries(FILTERS.map((name) => [name, query.get(name) ?? ""]));
  const text = JSON.stringify(filters);
  const [older, setOlder] = useState<Event[]>([]);
  const [end, setEnd] = useState(false);
  const [error, setError] = useState<string>();
  const newest = useLoaded(() => look<Event[]>("events", { ...filters, limit: PIECE }), [text], 3000);
  useEffect(() => {
    setOlder([]);
    setEnd(false);
  }, [text]);
  const set = (name: string, value: string) => {
    const next = new URLSearchParams(query);
    if (value) next.set(name, value);
    else next.delete(name);
    location.hash = `#/decisions?${next}`;
  };
  const all = [...(newest.value ?? []), ...older.filter((one) => one.seq < (newest.value?.at(-1)?.seq ?? Infinity))];
  const more = async () => {
    const before = all.at(-1)?.seq;
    if (before === undefined) return;
    try {
      const page = await look<Event[]>("events", { ...filters, limit: PIECE, before });
      // What came in meanwhile moved the newest on, so the whole list is kept behind them.
      setOlder([...all.slice(PIECE), ...page]);
      setEnd(page.length < PIECE);
    } catch (failure) {
      setError(failure instanceof Error ? failure.message : "it failed");
    }
  };
  return (
    <Page title="Decisions">
      <form class="filters" onSubmit={(e) => e.preventDefault()} role="search">
        <label>
          Verdict
          <select value={filters.verdict} onChange={(e) => set("verdict", e.currentTarget.value)}>
            <option value="">any</option>
            <option>allow</option>
            <option>redact</option>
            <option>hold</option>
            <option>deny</option>
            <option value="redact,hold,deny">not allow</option>
          </select>
        </label>
        {(["rule", "key", "exchange"] as const).map((name) => (
          <label key={name}>
            {name[0]?.toUpperCase() + name.slice(1)}
            <input value={filters[name]} onChange={(e) => set(name, e.currentTarget.value.trim())} spellcheck={false} autocomplete="off" />
          </label>
        ))}
      </form>
      <Problem text={error} />
      <Waiting of={newest}>
        {() =>
          all.length ? (
            <>
              <table class="decisions">
                <caption class="hidden">Decisions, newest first</caption>
                <thead>
                  <tr>
                    <th scope="col">Time</th>
                    <th scope="col">Verdict</th>
                    <th scope="col">Done</th>
                    <th scope="col">Way</th>
                    <th scope="col">Rules</th>
                    <th scope="col">Model</th>
                    <th scope="col">Key</th>
                    <th scope="col">Read</th>
                  </tr>
                </thead>
                <tbody>
                  {all.map((event) => (
                    <tr key={event.id}>
                      <td>
                        <a href={`#/decisions/${event.id}`}>
                          <Time at={event.time} />
                        </a>
                      </td>
                      <td>
                        <Badge kind={event.verdict} />
                        {event.mode === "monitor" ? <span class="quiet"> monitor</span> : null}
                      </td>
                      <td>{event.action}</td>
                      <td>{event.direction}</td>
                      <td class="wide">{Object.keys(event.rules ?? {}).join(", ")}</td>
                      <td>{event.model}</td>
                      <td>{event.key}</td>
                      <td>{event.coverage.status}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
              {end || all.length < PIECE ? <p class="quiet">That is all.</p> : <button onClick={() => void more()}>Older</button>}
            </>
          ) : (
            <Empty>Nothing fits.</Empty>
          )
        }
      </Waiting>
    </Page>
  );
}

export function Decision({ id, who }: { id: string; who: Session }) {
  const event = useLoaded(() => look<Event>(`events/${encodeURIComponent(id)}`), [id]);
  return (
    <Page title="Decision" aside={<a href="#/decisions">all decisions</a>}>
      <Waiting of={event}>{(one) => <Whole event={one} who={who} />}</Waiting>
    </Page>
  );
}

function Whole({ event, who }: { event: Event; who: Session }) {
  const rules = Object.entries(event.rules ?? {});
  const changes = mayChange(who);
  const micro = (value?: number) => (value === undefined ? undefined : `${(value / 1000).toFixed(2)} ms`);
  return (
    <>
      <Facts
        rows={[
          ["Verdict", <Badge kind={event.verdict} />],
          ["What was done", event.action],
          ["Mode", event.mode],
          ["The candidate policy", event.candidate ? <Badge kind={event.candidate} /> : undefined],
          ["When", <Time at={event.time} />],
          ["Way", event.direction],
          ["Protocol", event.protocol],
          ["Route", event.route],
          ["Model", event.model],
          ["Key", event.key],
          ["Tenant", event.tenant],
          ["Exchange", <a href={`#/decisions?exchange=${event.exchange}`}>{event.exchange}</a>],
          ["Read", event.coverage.status],
          ["Id", <code>{event.id}</code>],
        ]}
      />
      <section>
        <h2>Rules that fired</h2>
        {rules.length ? (
          <ul>
            {rules.map(([rule, times]) => (
              <li key={rule}>
                <a href={`#/rules/${rule}`}>{rule}</a> {times > 1 ? `(${times} times)` : ""}
                {changes ? <Mark event={event} rule={rule} /> : null}
              </li>
            ))}
          </ul>
        ) : (
          <p class="quiet">None.</p>
        )}
        {event.suppressed ? <p>{event.suppressed} findings were suppressed by configuration.</p> : null}
        {Object.keys(event.exceptions ?? {}).length ? <p>Exceptions: {Object.keys(event.exceptions ?? {}).join(", ")}</p> : null}
        {event.contained?.length ? <p>Cut off by: {event.contained.join(", ")}</p> : null}
        {event.failed_open ? <p><Badge kind="deny">failed open</Badge> a part failed and the configuration lets pass.</p> : null}
      </section>
      {event.grounds ? <MadeOf grounds={event.grounds} /> : null}
      {event.calls?.length ? <Calls calls={event.calls} /> : null}
      <section>
        <h2>Scores and reading</h2>
        <Facts
          rows={[
            ...Object.entries(event.scores ?? {}).map(([name, value]): [string, string | undefined] => [name, value == null ? undefined : value.toFixed(3)]),
            ...event.coverage.parts.map((part): [string, string] => [`${part.kind} not read`, `${part.reason}, ${part.bytes} bytes`]),
            ["Parsing", micro(event.timings?.parse_us)],
            ["Scanning and deciding", micro(event.timings?.scan_us)],
            ["Upstream's first byte", micro(event.timings?.upstream_us)],
            ["In all", micro(event.timings?.total_us)],
          ]}
        />
      </section>
      <section>
        <h2>Place in the chain</h2>
        <Facts
          rows={[
            ["Position", event.seq],
            ["Hash", <code>{event.hash}</code>],
            ["Hash before", <code>{event.prev}</code>],
            ["Policy", <code>{event.policy}</code>],
          ]}
        />
      </section>
    </>
  );
}

/** What the verdict was made of, without content. */
function MadeOf({ grounds }: { grounds: Grounds }) {
  const found = grounds.found ?? [];
  const scores = Object.entries(grounds.injection ?? {});
  return (
    <section>
      <h2>What the verdict was made of</h2>
      {found.length ? (
        <table>
          <caption class="hidden">What was found, by where the text is from</caption>
          <thead>
            <tr>
              <th scope="col">Rule</th>
              <th scope="col">In text from</th>
              <th scope="col">Severity</th>
              <th scope="col">Confidence</th>
              <th scope="col">Type</th>
              <th scope="col">Place</th>
            </tr>
          </thead>
          <tbody>
            {found.map((one, index) => (
              <tr key={index}>
                <td>
                  <a href={`#/rules/${one.rule}`}>{one.rule}</a>
                </td>
                <td>{one.from}</td>
                <td>
                  <Badge kind={one.severity} />
                </td>
                <td>{one.confidence}</td>
                <td>{one.type}</td>
                <td>{PLACES[one.redact ?? "redact"]}</td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : null}
      {grounds.cut ? <p>More was found than is kept.</p> : null}
      <Facts
        rows={[
          ...scores.map(([from, value]): [string, string] => [`Injection score, ${from}`, value.toFixed(4)]),
          ["All else", grounds.besides ? <Badge kind={grounds.besides} /> : "nothing against it"],
        ]}
      />
    </section>
  );
}

const PLACES: Record<string, string> = { redact: "can be masked", deny: "cannot be masked", allow: "history that stays" };

/** Which argument came from where. */
function Calls({ calls }: { calls: CallRecord[] }) {
  return (
    <section>
      <h2>Tool calls</h2>
      {calls.map((call, index) => (
        <table key={index}>
          <caption>
            <code>{call.tool}</code> <Badge kind={call.verdict} /> {call.reasons?.join(", ")}
            {call.approval ? <a href="#/approvals"> approval</a> : null}
          </caption>
          <thead>
            <tr>
              <th scope="col">Argument</th>
              <th scope="col">Traced to</th>
              <th scope="col">From</th>
              <th scope="col" class="number">Bytes</th>
            </tr>
          </thead>
          <tbody>
            {(call.arguments ?? []).map((one) => (
              <tr key={one.argument}>
                <td>
                  <code>{one.argument}</code>
                </td>
                <td>{one.trace}</td>
                <td>{[one.source, one.tool, one.field].filter(Boolean).join(" ")}</td>
                <td class="number">{one.bytes}</td>
              </tr>
            ))}
          </tbody>
        </table>
      ))}
    </section>
  );
}

function Mark({ event, rule }: { event: Event; rule: string }) {
  const [said, setSaid] = useState<string>();
  const [label, setLabel] = useState("false");
  if (said) return <p role="status">Marked as {said}.</p>;
  return (
    <details>
      <summary>Was it right?</summary>
      <WithReason
        label="Put on record"
        act={async (reason) => {
          await change(`events/${encodeURIComponent(event.id)}/mark`, { label, rule, reason });
          setSaid(label === "false" ? "a false alarm" : "right");
        }}
      >
        <label>
          The finding is
          <select value={label} onChange={(e) => setLabel(e.currentTarget.value)}>
            <option value="false">a false alarm</option>
            <option value="true">right</option>
          </select>
        </label>
      </WithReason>
    </details>
  );
}
