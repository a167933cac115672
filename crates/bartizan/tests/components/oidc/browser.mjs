// A browser without a screen: signs in to the console at ORIGIN (first argument) through a real provider, as it should be
// and as it should not. Prints one line of JSON for each scenario.
const origin = process.argv[2];

class Browser {
  jar = new Map();
  trail = [];

  async get(address, form) {
    const url = new URL(address);
    const cookies = [...this.jar.values()].filter((one) => one.host === url.host && url.pathname.startsWith(one.path));
    const response = await fetch(url, {
      method: form ? "POST" : "GET",
      redirect: "manual",
      headers: {
        ...(cookies.length ? { cookie: cookies.map((one) => `${one.name}=${one.value}`).join("; ") } : {}),
        ...(form ? { "content-type": "application/x-www-form-urlencoded" } : {}),
      },
      body: form ? new URLSearchParams(form) : undefined,
    });
    for (const set of response.headers.getSetCookie()) {
      const [pair, ...attributes] = set.split("; ");
      const [name, value] = [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)];
      const path = attributes.find((one) => /^path=/i.test(one))?.slice(5) ?? "/";
      const over = attributes.some((one) => /^max-age=0$/i.test(one)) || value === "";
      if (over) this.jar.delete(`${url.host}${name}${path}`);
      else this.jar.set(`${url.host}${name}${path}`, { host: url.host, name, value, path });
    }
    this.trail.push(`${url.pathname} ${response.status}`);
    const to = response.headers.get("location");
    return { status: response.status, to: to && new URL(to, url).href, body: await response.text(), url: url.href };
  }

  /** Follows the way to the provider, signs in and consents there, and stops at the answer for the console. */
  async toAnswer(name) {
    let at = await this.get(`${origin}/console/oidc/start`);
    for (let hops = 0; hops < 12; hops += 1) {
      if (at.to?.startsWith(`${origin}/console/oidc/callback`)) return at.to;
      if (at.to) at = await this.get(at.to);
      else if (at.body.includes('name="login"')) at = await this.get(at.url, { prompt: "login", login: name, password: "x" });
      // A native client is confirmed by the person each time (RFC 8252, section 8.6).
      else if (at.body.includes('value="consent"')) at = await this.get(at.url, { prompt: "consent" });
      else break;
    }
    throw new Error(`no answer: ${this.trail.join(" → ")}\n${at.body.slice(0, 400)}`);
  }

  async session() {
    const { status, body } = await this.get(`${origin}/console/session`);
    return status === 200 ? JSON.parse(body) : null;
  }
}

const changed = (address, change) => {
  const url = new URL(address);
  change(url.searchParams);
  return url.href;
};

/** What comes of an answer that was changed on its way. */
async function withAnswer(scenario, name, change = (answer) => answer, browser = new Browser()) {
  const answer = await browser.toAnswer(name);
  const { status, to } = await browser.get(await change(answer, browser));
  console.log(JSON.stringify({ scenario, status, to: to ?? null, session: await browser.session() }));
  return { answer, browser };
}

const { answer, browser } = await withAnswer("operator", "ann");
// Whoever has seen the address tries it again: in the same browser, and in one of their own.
const again = await browser.get(answer);
console.log(JSON.stringify({ scenario: "replayed", status: again.status, session: null }));
const thief = new Browser();
await thief.get(`${origin}/console/oidc/start`);
const stolen = await thief.get(answer);
console.log(JSON.stringify({ scenario: "stolen", status: stolen.status, session: await thief.session() }));
await withAnswer("approver", "bob");
await withAnswer("no-role", "eve");
await withAnswer("wrong-state", "ann", (to) => changed(to, (query) => query.set("state", `${query.get("state")}x`)));
await withAnswer("no-state", "ann", (to) => changed(to, (query) => query.delete("state")));
await withAnswer("foreign-issuer", "ann", (to) => changed(to, (query) => query.set("iss", "https://evil.example")));
await withAnswer("no-issuer", "ann", (to) => changed(to, (query) => query.delete("iss")));
await withAnswer("wrong-code", "ann", (to) => changed(to, (query) => query.set("code", "0".repeat(43))));
// A code of somebody else's sign-in: the proof key does not fit.
await withAnswer("injected-code", "ann", async (to) => {
  const other = new URL(await new Browser().toAnswer("bob")).searchParams.get("code");
  return changed(to, (query) => query.set("code", other));
});
await withAnswer("refused", "ann", (to) =>
  changed(to, (query) => (query.delete("code"), query.set("error", "access_denied"))),
);
