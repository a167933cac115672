import { look, type ToolServer } from "./api";
import { ResultTable, many } from "./results";
import { Badge, Empty, Facts, Page, Waiting, useLoaded } from "./ui";

export function Tools() {
  const all = useLoaded(() => look<{ lock: boolean; servers: ToolServer[] }>("mcp/servers"), [], 10_000);
  return (
    <Page title="MCP servers">
      <p class="quiet">
        What is pinned of each tool server, what is withheld because it differs from that, and what is cut off.{" "}
        <a href="#/decisions?rule=mcp%2Ftool-changed">Decisions about changed tools</a>
      </p>
      <Waiting of={all}>
        {({ lock, servers }) => (
          <>
            {lock || !servers.length ? null : (
              <p class="problem">
                Nothing is pinned: set <code>lock = "mcp.lock"</code> in <code>[mcp]</code>.
              </p>
            )}
            {servers.length ? (
              servers.map((one) => <Server key={one.name} of={one} />)
            ) : (
              <Empty>
                No tool server is configured. Add <code>[mcp.servers.NAME]</code> with its <code>url</code>; clients then use{" "}
                <code>/mcp/NAME</code> here.
              </Empty>
            )}
          </>
        )}
      </Waiting>
      <h2>Scans of agent configurations</h2>
      <ResultTable page="tools" stage="tools" />
    </Page>
  );
}

function Server({ of }: { of: ToolServer }) {
  const withheld = of.tools.filter((tool) => tool.withheld);
  return (
    <section class="card">
      <h2>{of.name}</h2>
      <Facts
        rows={[
          ["Address", of.url],
          ["Pinned", of.pinned ? <Badge kind="allow">{many(of.tools.filter((tool) => tool.sha256).length, "tool")}</Badge> : <Badge kind="redact">nothing yet</Badge>],
          ["Withheld", withheld.length ? <Badge kind="deny">{many(withheld.length, "tool")}</Badge> : "nothing"],
          ["Calls need a ticket", of.tickets ? "yes" : "no"],
          ["Cut off", of.contained.length ? of.contained.join("; ") : ""],
        ]}
      />
      {of.tools.length ? (
        <details>
          <summary>{`Tools of ${of.name}`}</summary>
          <table>
            <thead>
              <tr>
                <th scope="col">Tool</th>
                <th scope="col">Stands</th>
                <th scope="col">What it said of itself</th>
                <th scope="col">SHA-256</th>
              </tr>
            </thead>
            <tbody>
              {of.tools.map((tool) => (
                <tr key={tool.name}>
                  <td class="wide">{tool.name}</td>
                  <td>
                    {tool.withheld ? <Badge kind="deny">withheld</Badge> : tool.sha256 ? <Badge kind="allow">pinned</Badge> : <Badge kind="" />}
                  </td>
                  <td class="wide">{tool.description}</td>
                  <td>
                    <code>{tool.sha256 ?? "not pinned"}</code>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </details>
      ) : null}
    </section>
  );
}
