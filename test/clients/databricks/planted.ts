const hex = "0123456789abcdef".repeat(2);
const letters = "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789".repeat(3);
const cut = (from: number, length: number) => letters.slice(from, from + length);
/** Put together here, so that no scanner takes this file for a leak. Each is unlike the others. */
export const SHAPES: Readonly<Record<string, string>> = {
  pat: `da${"pi"}${hex}`,
  numberedPat: `da${"pi"}${hex.split("").reverse().join("")}-3`,
  oauthSecret: `do${"se"}${hex}`,
  serviceToken: `dk${"ea"}${hex}`,
  jwt: `ey${"J"}hbGciOiJSUzI1NiJ9.ey${"J"}zdWIiOiJmYWN0b3J5In0.${cut(3, 43)}`,
  opaque: `opaque-${cut(5, 40)}`,
  azureSecret: `abc8${"Q~"}${cut(1, 34)}`,
  entraToken: `ey${"J"}0eXAiOiJKV1QiLCJhbGciOiJub25lIn0.ey${"J"}hdWQiOiJhenVyZSJ9.${cut(9, 50)}`,
  githubPersonal: `gh${"p_"}${cut(0, 36)}`,
  githubOauth: `gh${"o_"}${cut(1, 36)}`,
  githubUser: `gh${"u_"}${cut(2, 36)}`,
  githubServer: `gh${"s_"}${cut(3, 36)}`,
  githubRefresh: `gh${"r_"}${cut(4, 36)}`,
  githubFine: `github_${"pat"}_${cut(0, 82)}`,
  gitlab: `gl${"pat"}-${cut(0, 20)}`,
  slackBot: `xo${"xb"}-${cut(0, 30)}`,
  slackUser: `xo${"xp"}-${cut(7, 30)}`,
  awsKey: `AK${"IA"}ABCDEFGHIJKLMNOP`,
  awsSession: `AS${"IA"}ABCDEFGHIJKLMNOP`,
  googleKey: `AI${"za"}${cut(0, 35)}`,
  googleToken: `ya${"29"}.${cut(11, 40)}`,
  npm: `np${"m_"}${cut(5, 36)}`,
  pypi: `py${"pi"}-AgEI${cut(0, 60)}`,
  openai: `s${"k-"}proj-${cut(0, 40)}`,
  anthropic: `s${"k-"}ant-${cut(8, 40)}`,
  huggingFace: `h${"f_"}${cut(0, 34)}`,
  privateKey: `-----BEGIN ${"PRIVATE"} KEY-----\n${cut(0, 64)}\n-----END ${"PRIVATE"} KEY-----`,
  bearer: `Bearer ${cut(13, 40)}`,
  basic: `Basic ${cut(17, 40)}==`,
  urlPassword: `https://user:${cut(19, 24)}@example.com/x`,
  signature: `https://storage.example.com/x?sig=${cut(21, 44)}`,
  storageKey: `AccountKey=${cut(2, 60)}`,
};
/** What must not be found: the longest run of the secret itself. */
export const cores = Object.entries(SHAPES).map(([name, text]) => {
  const [core = ""] = [...text.matchAll(/[A-Za-z0-9_-]{16,}/g)].map(([run]) => run).sort((x, y) => y.length - x.length);
  return { name, core: core.slice(-16) };
});

/** Names of the shapes that a text gives away. */
export const leaks = (text: string): string[] =>
  cores.filter(({ core }) => text.includes(core)).map(({ name }) => name);
