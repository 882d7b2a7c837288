import { expect, test } from "vitest";
import { strangeInWheel } from "../../src/promotion/wheel-of-commit.ts";
import { wheelOf, zipOf } from "../support/zip.ts";

const HELD: Readonly<Record<string, string>> = {
  "src/claims_triage/__init__.py": "",
  "src/claims_triage/score.py": "def main(): ...\n",
  "flat/data.json": "{}\n",
  "tests/claims_triage/score.py": "def main(): return 0\n",
};
const FILES = {
  "claims_triage/__init__.py": "",
  "claims_triage/score.py": "def main(): ...\n",
  "flat/data.json": "{}\n",
};
const PYPROJECT = `[project]
name = "claims-triage"
dependencies = [
  "mlflow==3.17.2",
  "Scikit_Learn >=1.9,<2 ; python_version < '3.14'",
  'pandas[aws,excel]>=3',
  "inner @ https://packages.example.com/inner-1.whl",
]
[project.scripts]
score = "claims_triage.score:main"
"odd-name" = 'claims_triage.score: main'
[tool.ruff]
src = ["src"]
`;
const LOCK = ["mlflow", "scikit-learn", "pandas", "inner"].map((name) => `[[package]]\nname = "${name}"\n`).join("\n");

const strange = (wheel: Buffer, lock: string | undefined = LOCK) =>
  strangeInWheel(
    wheel,
    (path, bytes) => HELD[path] === bytes.toString(),
    { pyproject: PYPROJECT, lock },
    "the commit holds",
  );
const about = (METADATA: string, entry_points = "") => wheelOf(FILES, { METADATA, "entry_points.txt": entry_points });

test("a wheel of what the commit holds and declares", () => {
  const requires = [
    "mlflow==3.17.2",
    'scikit-learn<2,>=1.9; python_version < "3.14"',
    "pandas[excel,aws]>=3; extra == 'more'",
    "inner@ https://packages.example.com/inner-1.whl",
  ].map((each) => `Requires-Dist: ${each}\n`);
  const commands =
    "[console_scripts]\nodd-name = claims_triage.score:main\n\n# more\nscore = claims_triage.score:main\n";
  expect(strange(about(`Name: claims-triage\n${requires.join("")}\nRead me.\n`, commands))).toEqual([]);
  expect(strange(wheelOf({}))).toEqual([]);
});

test.each(["\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"])(
  "%j, at which Python ends a line, is refused wherever lines are read",
  (end) => {
    const code = end.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0");
    const refused = (file: string) => [
      expect.stringMatching(new RegExp(`^${file} of the wheel holds U\\+${code}, .*: take it out of pyproject.toml`)),
    ];
    const hidden = `#${end}[console_scripts]${end}score = claims_triage.score:skip${end}uninstall = shutil:rmtree\n`;
    expect(strange(about("", hidden))).toEqual(refused("entry_points.txt"));
    expect(strange(about(`Name: x\nSummary: y${end}Requires-Dist: evil\n`))).toEqual(refused("METADATA"));
    for (const file of ["WHEEL", "RECORD", "top_level.txt", "Entry_Points.TXT"])
      expect(strange(wheelOf(FILES, { METADATA: "", [file]: `x${end}y\n` }))).toEqual(refused(file));
    // A readme and a licence may hold it: nothing in them is looked up.
    const read = { METADATA: `Name: x\n\nRead${end}me.\n`, "licenses/LICENSE": `GPL${end}\n` };
    expect(strange(wheelOf(FILES, read))).toEqual([]);
  },
);

test("text that is no UTF-8, in which a reader of Latin-1 would find other lines", () => {
  const latin = wheelOf(FILES, { METADATA: "", "entry_points.txt": Buffer.from("#\x85[console_scripts]\n", "latin1") });
  expect(strange(latin)).toEqual([expect.stringMatching(/^entry_points.txt of the wheel is no UTF-8: /)]);
});

test("on a disk that knows no upper case, a file in other letters is the same one", () => {
  const wheel = wheelOf(FILES, { METADATA: "", "Entry_points.txt": "[console_scripts]\nscore = os:abort\n" });
  expect(strange(wheel)).toEqual([expect.stringMatching(/the command score = os:abort/)]);
});

test.each([
  [
    "a file that is not there",
    wheelOf({ ...FILES, "claims_triage/backdoor.py": "x" }),
    /^claims_triage\/backdoor.py of/,
  ],
  ["a file with other bytes", wheelOf({ ...FILES, "claims_triage/score.py": "x" }), /^claims_triage\/score.py of/],
  [
    "a file of another place",
    wheelOf({ "claims_triage/score.py": HELD["tests/claims_triage/score.py"] ?? "" }),
    /^claims_triage\/score.py of/,
  ],
  ["code that runs at every start", wheelOf({ ...FILES, "x.pth": "import os" }), /^x.pth of/],
  [
    "a script",
    wheelOf({ "claims_triage-0.1.0.data/scripts/score": "x" }),
    /^claims_triage-0.1.0.data\/scripts\/score of/,
  ],
  [
    "code in a folder that only looks like a description",
    wheelOf({ "a/b.dist-info/x.py": "x" }),
    /^a\/b.dist-info\/x.py of/,
  ],
  ["two descriptions", wheelOf({ "numpy-9.dist-info/METADATA": "Name: numpy" }), /2 folders \*.dist-info/],
  ["no description", zipOf([]), /0 folders/],
  ["another package", about("Requires-Dist: evil\n"), /asks for the package evil, /],
  ["a package in another case", about("Name: x\r\nREQUIRES-DIST : evil\r\n"), /the package evil/],
  ["a package behind a line that goes on", about("Name: x\rRequires-Dist:\r evil\r"), /the package evil/],
  ["another limit", about("Requires-Dist: mlflow==3.17.1\n"), /the package mlflow==3.17.1/],
  ["an address", about("Requires-Dist: mlflow @ https://example.org/x.whl\n"), /the package mlflow @/],
  [
    "a longer address",
    about("Requires-Dist: inner @ https://packages.example.com/inner-1.whl;/x\n"),
    /package inner @/,
  ],
  ["a word of pyproject.toml that is no package", about("Requires-Dist: src\n"), /the package src/],
  ["another command", about("", "[console_scripts]\nscore = os:abort\n"), /the command score = os:abort/],
  ["a command in another writing", about("", "[console_scripts]\nscore: os:abort\n"), /the command score: os:abort/],
])("%s", (_, wheel, reason) => {
  expect(strange(wheel)).toEqual([expect.stringMatching(reason)]);
});
