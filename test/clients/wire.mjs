// wire.mjs - what a client sends to a server, a line a statement
//
//	node wire.mjs PORT SOCKET_FOLDER FILE
//
// Passes every byte on between a port of this machine and the server behind a
// unix socket, and appends to FILE each statement with the types and values
// that came with it and with what the server answered:
//
//	UPDATE account SET balance = balance - $1 WHERE id = $2   [numeric 1.50, unspecified 1]   UPDATE 1
//
// A type is the one that the client declared for the parameter: "unspecified"
// leaves it to the server, and "binary" after it says that the value was not
// sent as text.  Encryption is answered with no.  A line is written before the
// client hears of the answer, so that what the client itself appends to FILE
// stands in order.  Ends with its parent, or at SIGTERM.
import fs from 'node:fs';
import net from 'node:net';

const [port, folder, file] = process.argv.slice(2);
const names = { 0: 'unspecified', 16: 'boolean', 17: 'bytea', 20: 'bigint', 21: 'smallint', 23: 'integer', 25: 'text',
	114: 'json', 700: 'real', 701: 'double precision', 705: 'unknown', 1042: 'char', 1043: 'varchar', 1082: 'date',
	1114: 'timestamp', 1184: 'timestamptz', 1231: 'numeric[]', 1700: 'numeric', 2950: 'uuid', 3802: 'jsonb' };
// what a driver asks for its own sake
const quiet = /^(BEGIN|START|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|SET |SHOW |DEALLOCATE|DISCARD|SELECT 1$)|pg_(class|type|attribute|catalog)|current_schema|version\(\)/i;

// Strings of a message body, which end with a zero byte
class Reader {
	constructor(body) { this.body = body; this.at = 0; }
	string() {
		const end = this.body.indexOf(0, this.at);
		const s = this.body.toString('utf8', this.at, end);
		this.at = end + 1;
		return s;
	}
	int16() { this.at += 2; return this.body.readInt16BE(this.at - 2); }
	int32() { this.at += 4; return this.body.readInt32BE(this.at - 4); }
	bytes(n) { this.at += n; return this.body.subarray(this.at - n, this.at); }
}

// A numeric as it is sent in binary: digits of four decimals each
function numeric(value) {
	const [count, weight, sign, scale] = [0, 2, 4, 6].map((at) => value.readInt16BE(at));
	let digits = '';

	for (let i = 0; i < count; i++)
		digits += String(value.readInt16BE(8 + 2 * i)).padStart(4, '0');
	const point = 4 * (weight + 1);
	digits = digits.padEnd(Math.max(point, 0), '0');
	const whole = (point > 0 ? digits.slice(0, point) : '').replace(/^0+/, '') || '0';
	const rest = ('0'.repeat(Math.max(-point, 0)) + digits.slice(Math.max(point, 0))).padEnd(scale, '0').slice(0, scale);
	return (sign ? '-' : '') + whole + (scale ? `.${rest}` : '');
}

function shown(value, type, binary) {
	if (value === null)
		return 'NULL';
	if (!binary)
		return value.toString('utf8');
	if (['smallint', 'integer', 'bigint'].includes(type))
		return String(value.readIntBE(0, Math.min(value.length, 6)) * (value.length > 6 ? 65536 : 1) +
			(value.length > 6 ? value.readUInt16BE(6) : 0));
	if (type === 'numeric')
		return numeric(value);
	if (type === 'double precision')
		return String(value.readDoubleBE(0));
	if (['text', 'varchar', 'unspecified'].includes(type))
		return value.toString('utf8');
	return '0x' + value.toString('hex');
}

// Cuts a stream into messages; the first of a client has no type
function messages(first, take) {
	let rest = Buffer.alloc(0);
	let startup = first;

	return (data) => {
		rest = Buffer.concat([rest, data]);
		for (;;) {
			const head = startup ? 0 : 1;
			if (rest.length < head + 4 || rest.length < head + rest.readInt32BE(head))
				return;
			const length = head + rest.readInt32BE(head);
			const message = rest.subarray(0, length);
			rest = rest.subarray(length);
			if (startup) {
				startup = take.startup(message);
				continue;
			}
			take.message(String.fromCharCode(message[0]), new Reader(message.subarray(5)));
		}
	};
}

function serve(client) {
	const server = net.connect(`${folder}/.s.PGSQL.5432`);
	const statements = new Map();
	const portals = new Map();
	let waiting = [];

	const say = (statement, answer) => {
		if (!quiet.test(statement.sql))
			fs.appendFileSync(file, `${statement.sql.replace(/\s+/g, ' ').trim()}` +
				`${statement.values ? `   [${statement.values.join(', ')}]` : ''}   ${answer}\n`);
	};
	const bind = (r) => {
		const portal = r.string();
		const { sql, types } = statements.get(r.string()) ?? { sql: '?', types: [] };
		const formats = Array.from({ length: r.int16() }, () => r.int16());
		const n = r.int16();
		const values = [];
		for (let i = 0; i < n; i++) {
			const length = r.int32();
			const value = length < 0 ? null : r.bytes(length);
			const binary = (formats.length === 1 ? formats[0] : formats[i] ?? 0) === 1;
			const type = names[types[i] ?? 0] ?? `type ${types[i]}`;
			values.push(`${type}${binary ? ' binary' : ''} ${shown(value, type, binary)}`);
		}
		portals.set(portal, { sql, values });
	};
	const fromClient = messages(true, {
		startup(message) {
			const code = message.readInt32BE(4);
			if (code === 80877103 || code === 80877104) {	// SSL, GSS: no
				client.write('N');
				return true;
			}
			server.write(message);
			return false;
		},
		message(type, r) {
			if (type === 'Q')
				waiting.push({ sql: r.string(), simple: true });
			else if (type === 'P') {
				const name = r.string();
				const sql = r.string();
				statements.set(name, { sql, types: Array.from({ length: r.int16() }, () => r.int32()) });
				waiting.push({ sql, values: null, parse: true });
			}
			else if (type === 'B')
				bind(r);
			else if (type === 'E')
				waiting.push({ ...portals.get(r.string()) });
			else if (type === 'S')
				waiting.push({ sync: true });
		}
	});
	const fromServer = messages(false, {
		message(type, r) {
			const next = waiting[0];
			if (type === '1')
				waiting.shift();
			else if (type === 'C' || type === 'I' || type === 's') {
				if (next)
					say(next, type === 'C' ? r.string() : '');
				if (next && !next.simple)
					waiting.shift();
			}
			else if (type === 'E') {
				const fields = {};
				for (let code; (code = String.fromCharCode(r.bytes(1)[0])) !== '\0';)
					fields[code] = r.string();
				const of = next?.parse ? { ...next, values: portals.get('')?.sql === next.sql ? portals.get('').values : null } : next;
				if (of && fields.C)
					say(of, `${fields.C}: ${fields.M}`);
				while (waiting.length > 0 && !waiting[0].simple && !waiting[0].sync)
					waiting.shift();
			}
			else if (type === 'Z' && (next?.simple || next?.sync))
				waiting.shift();
		}
	});
	let started = false;
	client.on('data', (data) => {
		// the start is passed on by itself, since encryption is refused here
		const before = started;
		fromClient(data);
		if (before)
			server.write(data);
		started = started || data.length > 8;
	});
	server.on('data', (data) => { fromServer(data); client.write(data); });
	for (const [one, other] of [[client, server], [server, client]]) {
		one.on('close', () => other.destroy());
		one.on('error', () => other.destroy());
	}
}

net.createServer(serve).listen(Number(port), '127.0.0.1', () => console.log('ready'));
process.on('SIGTERM', () => process.exit(0));
