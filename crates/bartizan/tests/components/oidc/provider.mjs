// A real identity provider (the npm package `oidc-provider`) for tests: MODULES is the folder of its modules.
// Whoever signs in with the name NAME is NAME, in the groups that GROUPS lists for it as JSON. Prints its origin.
import { createServer } from "node:http";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const modules = process.env.MODULES;
const { default: Provider } = await import(pathToFileURL(join(modules, "oidc-provider/lib/index.js")).href);
const groups = JSON.parse(process.env.GROUPS ?? "{}");

const server = createServer((request, response) => handle(request, response));
let handle = (_, response) => response.end();
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const issuer = `http://127.0.0.1:${server.address().port}`;
const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "bartizan",
      client_secret: "secret-of-the-client-0123456789abcdef",
      // On loopback addresses of a native client the port is free (RFC 8252, section 7.3).
      application_type: "native",
      redirect_uris: ["http://127.0.0.1/console/oidc/callback"],
      grant_types: ["authorization_code"],
      response_types: ["code"],
      token_endpoint_auth_method: "client_secret_basic",
    },
  ],
  pkce: { required: () => true },
  cookies: { keys: ["a key that signs cookies of tests"] },
  claims: { openid: ["sub"], profile: ["preferred_username"], groups: ["groups"] },
  // Claims of scopes go into the ID token, and not only to the user-info endpoint.
  conformIdTokenClaims: false,
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, preferred_username: id, groups: groups[id] ?? [] }),
  }),
  // Nobody is asked whether the client may know their name.
  async loadExistingGrant(context) {
    const grant = new context.oidc.provider.Grant({
      clientId: context.oidc.client.clientId,
      accountId: context.oidc.session.accountId,
    });
    grant.addOIDCScope("openid profile groups");
    await grant.save();
    return grant;
  },
});
handle = provider.callback();
console.log(JSON.stringify({ origin: issuer }));
process.stdin.resume();
process.stdin.on("end", () => process.exit());
