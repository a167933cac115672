import { useState } from "preact/hooks";
import { change, look, mayApprove, type Approval, type Session, type ShownApproval } from "./api";
import { Badge, Empty, Facts, Page, Time, Waiting, WithReason, useLoaded } from "./ui";

export function Approvals({ who }: { who: Session }) {
  const all = useLoaded(() => look<Approval[]>("approvals"), [], 3000);
  return (
    <Page title="Approvals">
      <p class="quiet">Tool calls that wait for a person. Each passes once, as it is, and an expired one is denied.</p>
      <Waiting of={all}>
        {(list) => {
          const waiting = list.filter((one) => one.state === "pending");
          const decided = list.filter((one) => one.state !== "pending");
          return (
            <>
              {waiting.length ? (
                waiting.map((one) => <Card key={one.id} approval={one} who={who} done={all.again} />)
              ) : (
                <Empty>Nothing waits for an approval.</Empty>
              )}
              {decided.length ? (
                <section>
                  <h2>Decided</h2>
                  <table>
                    <thead>
                      <tr>
                        <th scope="col">Asked</th>
                        <th scope="col">Tool</th>
                        <th scope="col">State</th>
                        <th scope="col">By</th>
                        <th scope="col">Decision</th>
                      </tr>
                    </thead>
                    <tbody>
                      {decided.map((one) => (
                        <tr key={one.id}>
                          <td>
                            <Time at={one.asked} />
                          </td>
                          <td>{one.call.tool}</td>
                          <td>
                            <Badge kind={one.state} />
                          </td>
                          <td>{one.decided_by}</td>
                          <td>
                            <a href={`#/decisions/${one.event}`}>record</a>
                          </td>
                        </tr>
                      ))}
                    </tbody>
                  </table>
                </section>
              ) : null}
            </>
          );
        }}
      </Waiting>
    </Page>
  );
}

function Card({ approval, who, done }: { approval: Approval; who: Session; done: () => void }) {
  const [open, setOpen] = useState(false);
  return (
    <section class="card" aria-label={`Call of ${approval.call.tool}`}>
      <h2>
        <code>{approval.call.tool}</code>
      </h2>
      <Facts
        rows={[
          ["Asked by", approval.key || "a caller without a key"],
          ["Asked", <Time at={approval.asked} />],
          ["Expires", <Time at={approval.expires} />],
          ["Why it waits", approval.call.reasons.join(", ")],
          ["Record", <a href={`#/decisions/${approval.event}`}>{approval.event}</a>],
        ]}
      />
      {open ? <Inside approval={approval} who={who} done={done} /> : <button onClick={() => setOpen(true)}>Look and decide…</button>}
    </section>
  );
}

function Inside({ approval, who, done }: { approval: Approval; who: Session; done: () => void }) {
  const id = encodeURIComponent(approval.id);
  const whole = useLoaded(() => look<ShownApproval>(`approvals/${id}`), [id]);
  const [approve, setApprove] = useState("no");
  const may = mayApprove(who) && who.name !== approval.key;
  return (
    <Waiting of={whole}>
      {({ shown }) => (
        <>
          {shown ? (
            <>
              <h3>Arguments</h3>
              <pre>{shown.arguments}</pre>
              {shown.values.map((value) => (
                <div key={value.argument}>
                  <h3>
                    <code>{value.argument}</code>
                  </h3>
                  <Facts
                    rows={[
                      ["Value", <code>{value.value}</code>],
                      ["Traced to", value.trace],
                      ["Found in", value.source],
                      ["What stands there", value.excerpt ? <q>{value.excerpt}</q> : undefined],
                    ]}
                  />
                </div>
              ))}
            </>
          ) : (
            <p>Its values cannot be opened any more. It can be denied.</p>
          )}
          {may ? (
            <WithReason
              label={approve === "no" ? "Deny" : "Approve"}
              danger={approve === "no"}
              act={async (reason) => {
                await change(`approvals/${id}`, { approve: approve !== "no", always: approve === "always", reason });
                done();
              }}
            >
              <label>
                Decision
                <select value={approve} onChange={(e) => setApprove(e.currentTarget.value)}>
                  <option value="no">deny</option>
                  {shown ? <option value="once">let it pass once</option> : null}
                  {shown ? <option value="always">let it pass, and these values always</option> : null}
                </select>
              </label>
            </WithReason>
          ) : (
            <p class="quiet">This sign-in may not decide.</p>
          )}
        </>
      )}
    </Waiting>
  );
}
