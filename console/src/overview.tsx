import { look, lookAtAll, run, type Session, type Status, type Tally, type Verdict } from "./api";
import { Badge, Empty, Facts, Page, Waiting, useLoaded } from "./ui";
import { useState } from "preact/hooks";

const VERDICTS: Verdict[] = ["allow", "redact", "hold", "deny"];

export function Overview({ who }: { who: Session }) {
  const [hours, setHours] = useState(24);
  const status = useLoaded(() => lookAtAll<Status>("status"), []);
  const tally = useLoaded(() => look<Tally>("tally", { hours }), [hours], 10_000);
  return (
    <Page
      title="Overview"
      aside={
        <label>
          Last
          <select value={hours} onChange={(e) => setHours(Number(e.currentTarget.value))}>
            <option value={24}>24 hours</option>
            <option value={168}>7 days</option>
            <option value={720}>30 days</option>
          </select>
        </label>
      }
    >
      <Waiting of={tally}>
        {(counted) => (
          <>
            <Totals tally={counted} />
            <Bars tally={counted} hours={hours} />
            {counted.cut ? <p class="quiet">Only the newest 200,000 records are counted.</p> : null}
            <TopRules rules={counted.rules} />
          </>
        )}
      </Waiting>
      <section>
        <h2>What runs</h2>
        <Waiting of={status}>
          {(now) => (
            <Facts
              rows={[
                ["Mode", <Badge kind={now.mode} />],
                ["Evidence", now.recording ? "is being written" : <Badge kind="deny">is not being written</Badge>],
                ["Rules in force", now.rules],
                ["Upstreams", now.upstreams.join(", ") || "none"],
                ["Version", now.version],
                ["Engine", Object.entries(now.engine).map(([name, version]) => `${name} ${version}`).join(", ")],
              ]}
            />
          )}
        </Waiting>
        {who.tenants.length === 0 ? <Chain /> : null}
      </section>
    </Page>
  );
}

function Totals({ tally }: { tally: Tally }) {
  const sum = (verdict: Verdict) =>
    tally.hours.filter((one) => one.verdict === verdict).reduce((total, one) => total + one.decisions, 0);
  return (
    <ul class="totals">
      {VERDICTS.map((verdict) => (
        <li key={verdict} class={verdict}>
          <a href={`#/decisions?verdict=${verdict}`}>
            <strong>{sum(verdict).toLocaleString("en")}</strong> {verdict}
          </a>
        </li>
      ))}
    </ul>
  );
}

/** Decisions over time, one bar for each piece of the span. */
function Bars({ tally, hours }: { tally: Tally; hours: number }) {
  const piece = hours <= 24 ? 1 : hours <= 168 ? 6 : 24;
  const count = Math.ceil(hours / piece);
  const end = Math.floor(Date.now() / 3_600_000) + 1;
  const bars = Array.from({ length: count }, () => new Map<Verdict, number>());
  for (const { hour, verdict, decisions } of tally.hours) {
    const at = Date.parse(`${hour}:00:00Z`) / 3_600_000;
    const bar = bars[count - 1 - Math.floor((end - 1 - at) / piece)];
    bar?.set(verdict, (bar.get(verdict) ?? 0) + decisions);
  }
  const total = (bar: Map<Verdict, number>) => [...bar.values()].reduce((a, b) => a + b, 0);
  const most = Math.max(1, ...bars.map(total));
  if (!tally.hours.length) return <Empty>No decisions in this time. Send a request through the gateway to see it here.</Empty>;
  const [width, height] = [960, 150];
  return (
    <figure>
      <svg viewBox={`0 0 ${width} ${height}`} role="img" aria-label={`Decisions over the last ${hours} hours, at most ${most} in ${piece} h`}>
        {bars.map((bar, index) => {
          let y = height;
          return VERDICTS.map((verdict) => {
            const tall = ((bar.get(verdict) ?? 0) / most) * (height - 4);
            if (!tall) return null;
            y -= tall;
            return (
              <rect key={`${index}${verdict}`} class={verdict} x={(index * width) / count + 1} y={y} width={width / count - 2} height={tall}>
                <title>{`${bar.get(verdict)} ${verdict}`}</title>
              </rect>
            );
          });
        })}
      </svg>
      <figcaption>
        {VERDICTS.map((verdict) => (
          <span key={verdict} class={`legend ${verdict}`}>
            {verdict}
          </span>
        ))}
        <span class="quiet">at most {most.toLocaleString("en")} in {piece} h</span>
      </figcaption>
    </figure>
  );
}

function TopRules({ rules }: { rules: Record<string, number> }) {
  const top = Object.entries(rules).sort((a, b) => b[1] - a[1]).slice(0, 10);
  if (!top.length) return null;
  const most = top[0]?.[1] ?? 1;
  return (
    <section>
      <h2>Rules that fired</h2>
      <table>
        <thead>
          <tr>
            <th scope="col">Rule</th>
            <th scope="col" class="number">Decisions</th>
            <th scope="col"><span class="hidden">Share</span></th>
          </tr>
        </thead>
        <tbody>
          {top.map(([rule, decisions]) => (
            <tr key={rule}>
              <td>
                <a href={`#/rules/${rule}`}>{rule}</a>
              </td>
              <td class="number">
                <a href={`#/decisions?rule=${encodeURIComponent(rule)}`}>{decisions.toLocaleString("en")}</a>
              </td>
              <td class="share">
                <meter min={0} max={most} value={decisions} aria-label={`${decisions} of ${most}`} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

interface Verified {
  whole: boolean;
  records: number | null;
  fault: string | null;
}

function Chain() {
  const [verified, setVerified] = useState<Verified | string>();
  return (
    <p>
      <button
        onClick={() => {
          setVerified("recomputing…");
          run<Verified>("chain/verify").then(setVerified, (failure: Error) => setVerified(failure.message));
        }}
      >
        Verify the chain of records
      </button>{" "}
      <span role="status">
        {verified === undefined ? null : typeof verified === "string" ? (
          verified
        ) : verified.whole ? (
          <>
            <Badge kind="allow">whole</Badge> {verified.records?.toLocaleString("en")} records
          </>
        ) : (
          <>
            <Badge kind="deny">broken</Badge> {verified.fault}
          </>
        )}
      </span>
    </p>
  );
}
