// regress.mjs - the records of run.sh as a regress test
//
//	node regress.mjs FOLDER > sql/clients.sql
//
// Each statement that a client sent, with the types that it gave to its
// parameters, is sent by sql/clients.sql again, and what the server says to it
// is the expected output.  Statements that only read a row by its key, that
// copy, or that were sent before in the same way by the same client, are left
// out.
import fs from 'node:fs';
import path from 'node:path';

const [folder] = process.argv.slice(2);
const here = path.dirname(new URL(import.meta.url).pathname);
const quote = (s) => `'${s.replaceAll("'", "''")}'`;
const skipped = /^(COPY|select [^(]* from "?(public"?\.)?"?(payment|account)|SELECT "?payment"?\.|SELECT \* FROM|SELECT amount|SELECT CAST|SELECT 'money|SELECT ID|select "p0|select hib.* where hib|SELECT "id")/i;

const text = (name) => fs.readFileSync(path.join(here, name), 'utf8').trimEnd();

// the tables of the clients, in the schema of the test
console.log(text('regress.sql').replace('@schema@', () => text('schema.sql').replace(/^--.*\nCREATE EXTENSION.*\n/, '')));
for (const file of fs.readdirSync(folder).filter((f) => f.endsWith('.txt')).sort()) {
	const known = new Set();
	console.log(`\n-- ${file.replace('.txt', '')}\nSELECT anew();`);
	let step = '';
	for (const line of fs.readFileSync(path.join(folder, file), 'utf8').replaceAll('"public".', '"clients".').split('\n')) {
		if (line.startsWith('-- ') && !line.startsWith('--   '))
			step = line;
		if (line === '' || line.startsWith('--'))
			continue;
		const [sql, ...rest] = line.split('   ');
		const bound = rest.find((r) => r.startsWith('[')) ?? '[]';
		const values = bound === '[]' ? [] : bound.slice(1, -1)
			.split(/, (?=(?:unspecified|numeric\[\]|numeric|integer|smallint|bigint|varchar|text|double precision)(?: binary)? )/)
			.map((v) => v.replace(/^(unspecified|numeric|integer|smallint|bigint|varchar|text|double precision) binary /, '$1 '));
		const call = `SELECT sent(${[sql, ...values].map(quote).join(', ')});`;
		if (skipped.test(sql) || known.has(call) && !/^update/i.test(sql))
			continue;
		known.add(call);
		if (step) {
			console.log(step);
			step = '';
		}
		console.log(call);
	}
}
console.log(`
SET client_min_messages = warning;
DROP SCHEMA clients CASCADE;
DELETE FROM idem.machine WHERE name = 'client_payment';`);
