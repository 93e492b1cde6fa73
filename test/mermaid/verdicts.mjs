// verdicts.mjs - what Mermaid itself makes of diagrams
//
//	node verdicts.mjs NODE_MODULES [COUNT [SEED]] > verdicts
//
// Needs Mermaid and jsdom, in the versions of package.json beside it:
// npm install in a copy of this folder, whose node_modules is the argument.
//
// A line for each diagram: the verdict, how the diagram came about, and its
// text as a JSON string.  The verdict is "drawn" if Mermaid draws what the
// arrows of the text say, "otherwise" if it draws something else, "refused" if
// it cannot read it.  What the arrows say is read here by a regular expression,
// by neither of the two.  Diagrams are those of test/machines (machine), those
// written down below, each for something that Mermaid reads in a way of its own
// (odd), and COUNT ones made of the documented subset and names without a
// meaning (plain) or of everything that looks like it (wild).
//
// sql/machine_mermaid.sql reads the list, so that the suite needs neither node
// nor a network; test/tap/245_machine_mermaid.pl makes it anew where
// $MERMAID_MODULES names the folder.

import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const modules = path.resolve(process.argv[2]);
const count = Number(process.argv[3] ?? 600);
let seed = Number(process.argv[4] ?? 1);

const { JSDOM } = createRequire(path.join(modules, 'x.js'))('jsdom');
const dom = new JSDOM('<!doctype html><body></body>');
globalThis.window = dom.window;
globalThis.document = dom.window.document;
const core = path.join(modules, 'mermaid', 'dist', 'mermaid.core.mjs');
const mermaid = (await import(pathToFileURL(core))).default;
mermaid.initialize({ startOnLoad: false, logLevel: 5 });

// ------------------------------------------------------------ what it says

const name = '[A-Za-z0-9_\\u0080-\\uffff]+';
const arrow = new RegExp(`^(\\[\\*\\]|${name})(?::::\\w+)?[ \\t]*-->[ \\t]*` +
	`(\\[\\*\\]|${name})(?::::\\w+)?[ \\t]*(?::(.*)|%%.*)?$`);
const declared = new RegExp(`^(?:state +(?:"[^"]*" *as +)?|note +(?:left|right) of +)(${name})` +
	`|^(${name}):::`);

// The arrows of a text, and the states that it names
function says(text) {
	const edges = [];
	const states = new Set(['root_start', 'root_end']);
	let note = false;

	for (const line of text.replace(/^\ufeff/, '').split(/\r?\n/).map((l) => l.replace(/^[ \t]+|[ \t]+$/g, ''))) {
		if (note) {
			note = !/^end note([ \t]*%%.*)?$/i.test(line);
			continue;
		}
		note = /^note +(left|right) of +[^:]+$/.test(line);
		const a = arrow.exec(line);
		const d = declared.exec(line);
		if (d)
			states.add(d[1] ?? d[2]);
		if (!a)
			continue;
		const [from, to] = [a[1] === '[*]' ? 'root_start' : a[1], a[2] === '[*]' ? 'root_end' : a[2]];
		edges.push([from, to, (a[3] ?? '').replace(/^[ \t]+|[ \t]+$/g, '')]);
		states.add(from).add(to);
	}
	return { edges, states };
}

async function verdict(text) {
	let db;

	try {
		db = (await mermaid.mermaidAPI.getDiagramFromText(text)).db;
	} catch {
		return 'refused';
	}
	const said = says(text);
	const drawn = db.getRelations().map((r) => [r.id1, r.id2, r.relationTitle ?? '']);
	return JSON.stringify(drawn) === JSON.stringify(said.edges) &&
		[...db.getStates().keys()].every((s) => said.states.has(s)) ? 'drawn' : 'otherwise';
}

// --------------------------------------------------------------- the odd ones

// one line each between these
const around = (line) => `stateDiagram-v2\n[*] --> a\na --> b : go\n${line}\nb --> [*]\n`;
const keywords = ['default', 'Default', 'note', 'NOTE', 'state', 'State', 'class', 'CLASS', 'classDef', 'style', 'click',
	'href', 'scale', 'accTitle', 'accDescr', 'stateDiagram', 'direction', 'hide', 'end', 'as', 'fork', 'join', 'choice',
	'left', 'right', 'of', 'root', 'root_start', 'root_end', 'divider', 'constructor', '__proto__', 'true', 'null',
	'default\u72b6', 'click\u72b6', 'state\u72b6', 'defaults', 'my_note', 'click_me', 'stateful', '0', '42', 'redirection'];
const unseen = ['\u00a0', '\u00ad', '\u200b', '\u200d', '\u202e', '\u2028', '\u2060', '\u3000', '\ufeff', '\u1680',
	'\u180e', '\u3164', '\u115f', '\ufe0f', '\u034f', '\u0085'];
const odd = [
	...keywords.flatMap((k) => [`a --> ${k}`, `${k} --> b`, `a --> ${k} : x`, `a --> b : ${k}`, `state ${k}`,
		`state "w" as ${k}`, `note left of ${k} : w`, `${k}:::sent`]).map(around),
	...unseen.flatMap((u) => [`a --> c${u}d`, `a --> ${u}c`, `a --> c${u}`, `a${u} --> b`, `a --> b : x${u}`]).map(around),
	...['a --> b : x %% c', 'a --> b %% c', 'a --> b%% c', 'a --> [*] %% c', 'a:::sent %% c', 'a --> b:::sent %%c',
		'a --> b:::sent%%c', 'direction LR %% c', 'state c %% x', 'state "w" as c %% x', 'state "w" as c %% {', '%%', '%% c',
		'  %%c', '%%{init: {"theme": "dark"}}%%', '%%{ c', 'a --> b %%{ c', '%%{init: {\n}}%%', 'a --> b %% direction TB',
		'a --> b %% <<fork>>', 'state c %% <<fork>>',
		'a --> b : x; b --> c', 'a --> b : x [late]', 'a --> b : [late]', 'a --> b:x', 'a --> b :x', 'a-->b', 'a --> b : a.b-c',
		'a --> b : -x', 'a --> b : x [role y]', 'a --> b : x [role y;z]', 'a --> b : x [role y::z]', 'a --> b : x [role y:z]',
		'a --> b : x [role "y z"]', 'a --> b : x [role y direction LR z]', 'a --> b : x [role a#b]', 'a --> b : x [role a%%b]',
		'a --> redirection\nTBx --> b', 'a --> b : redirection\nLR --> b', 'a --> b : redirection\n\nlr_x --> b',
		'a --> b : redirection\n%% c\nbt --> b', 'a --> b : redirection\nb --> a', 'note left of a : direction LR',
		'note left of redirection\nTB\nend note', 'state "direction RL" as c', 'direction LR', 'direction  TB', 'direction',
		'direction XX', 'direction LR direction TB',
		'state "" as c', 'state "w" as c', 'state "w"as c', 'state "w" as c ', 'state "w:x;y" as c', 'state "{" as c',
		'state "<<fork>>" as c', 'state "[[join]]" as c', 'state c:::sent', 'state "w" as c:::sent', 'state c {', 'c', 'c : w',
		'note left of a : w', 'note right of a : w', 'note left of a:w', 'note  left of a : w', 'note left  of a : w',
		'note left of a : w : w', 'note left of a : w; w', 'note left of a :', 'note left of a : ', 'note left of a:::sent : w',
		'note left of a : "w" <b> #35;', 'note left of a : w %% c', 'note left of a\nw\nend note', 'note left of a\nend note',
		'note left of a\nw : w; w\nend note', 'note left of a\nw\nend  note', 'note left of a\nw\nend  note\nend note',
		'note left of a\nw\nend note c', 'note left of a\nw\nend notes\nend note', 'note left of a\nw\nEND NOTE',
		'note left of a\nw\n end note %% c', 'note left of a\nw\nend note\u72b6', 'note left of a\nw\n\u00a0end note',
		'note left of a\nw\n\u72b6 end note\nend note', 'note left of a\n%% c\nend note', 'note left of a\n%%{ c\nend note',
		'note left of a c\nend note', 'note "w" as c', 'note left of a %% c\nend note'].map(around),
	'\ufeffstateDiagram-v2\n[*] --> a\na --> [*]', '%% c\n\nstateDiagram-v2\n[*] --> a\na --> [*]',
	'  stateDiagram-v2  \n\t[*]\t-->\ta\na --> [*]', 'stateDiagram-v2 %% c\n[*] --> a\na --> [*]',
	'stateDiagram-v2\r\n[*] --> a\r\na --> [*]\r\n', 'stateDiagram\n[*] --> a\na --> [*]', '---\ntitle: t\n---\nstateDiagram-v2\n[*] --> a\na --> [*]',
	'stateDiagram-v2\n[*] --> scale', 'stateDiagram-v2\n[*] --> a\na --> [*]%%c', 'stateDiagram-v2\n[*] --> a:::sent\na:::sent --> [*]'
];

// ------------------------------------------------------- the generated ones

// the same numbers everywhere
function random(n) {
	seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
	return Math.floor(seed / 4294967296 * n);
}
const pick = (list) => list[random(list.length)];
const maybe = (text, of = 3) => random(of) === 0 ? text : '';
const blanks = () => pick(['', ' ', '  ', '\t']);

const plainNames = ['created', 'paying', 'PAID', 'failed_2', '\u5df2\u652f\u4ed8', '\u00e9tat', '7', 'refunded', 'x1', 'Closed'];
const wildNames = [...plainNames, ...keywords, ...unseen.map((u) => `s${u}`), 'a-b', 'a.b', 's;', 'TB', 'lr', 's:t'];
const plainEvents = ['go', 'confirm', 'answer.ok-2', 'x_y', '\u4ed8\u6b3e', 'state', 'note', 'default'];
const wildEvents = [...plainEvents, ...keywords, ...unseen.map((u) => `e${u}f`), 'a b', 'e;', 'e::f', 'direction LR', '%%'];
const words = ['words', 'two words', 'a --> b', '[*]', 'x %% y'];
const wildWords = [...words, 'x:y', 'x;y', '', 'direction TB', '<<fork>>', '[[choice]]', '{', 'end note', '#35;'];

const classOf = (s) => s.length % 2 === 0 ? ':::sent' : ':::unknown';

function statement(names, events, texts, wild) {
	const [s, t] = [pick(names), pick(names)];
	const colon = `${blanks()}:${blanks()}`;
	const late = maybe(' [late]', 4) + maybe(` [role ${wild ? pick(['r', 'r s', 'r;', 'r::s', 'r:s', '"r"']) : 'r'}]`, 6);

	switch (random(wild ? 14 : 12)) {
		case 0: return `state ${s}`;
		case 1: return `state "${pick(texts)}" as ${s}`;
		case 2: return `note ${pick(['left', 'right'])} of ${s} : ${wild ? pick(texts) : 'words --> more'}`;
		case 3: return `note ${pick(['left', 'right'])} of ${s}\n  ${pick(texts)}\n  ${wild ? pick(['end note', 'end note', 'END NOTE', 'end  note', 'end note x', 'end notes']) : 'end note'}`;
		case 4: return s + classOf(s);
		case 5: return `%% ${pick(texts)}`;
		case 6: return `direction ${pick(['LR', 'RL', 'TB', 'BT'])}`;
		case 12: return pick(['', '--', 'state s {', '}', 'hide empty description', 'scale 350 width', 's', 'class a b', 'TB --> x', 'a --> direction', 'accTitle: t']);
		case 13: return `${s}${colon}${pick(texts)}`;
		case 7: return `[*]${blanks()}-->${blanks()}${s}${maybe(' %% c', 6)}`;
		case 8: return `${s}${blanks()}-->${blanks()}[*]${maybe(' %% c', 6)}`;
		default: return `${s}${maybe(classOf(s), 8)}${blanks()}-->${blanks()}${t}${maybe(classOf(t), 8)}` +
			(random(4) === 0 ? maybe(' %% c') : `${colon}${pick(events)}${late}${wild ? maybe(' %% c', 9) : ''}`);
	}
}

function diagram(wild) {
	const lines = [maybe('\ufeff', 20) + maybe('%% c\n', 8) + 'stateDiagram-v2' + maybe(' %% c', 9)];

	for (let n = 1 + random(wild ? 3 : 8); n > 0; n--)
		lines.push(maybe('    ') + (wild ? statement(wildNames, wildEvents, wildWords, true) :
			statement(plainNames, plainEvents, words, false)));
	return lines.join(pick(['\n', '\n', '\n', '\r\n', '\n\n'])) + maybe('\n');
}

const machines = path.join(here, '..', 'machines');
const list = [
	...fs.readdirSync(machines).filter((f) => f.endsWith('.mmd')).sort()
		.map((f) => ['machine', fs.readFileSync(path.join(machines, f), 'utf8')]),
	...odd.map((t) => ['odd', t]),
	...Array.from({ length: count }, (_, i) => i % 3 === 0 ? ['plain', diagram(false)] : ['wild', diagram(true)])
];

for (const [kind, text] of list)
	console.log('%s', `${await verdict(text)}\t${kind}\t${JSON.stringify(text)}`);
