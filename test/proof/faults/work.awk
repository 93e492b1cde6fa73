# work.awk - the script of one worker: psql commands at random
#
#	awk -v seed=N -v round=N -v worker=N -v count=N -v generation=N -v kind=KIND \
#		-f words.awk -f rooms.awk -f work.awk
#	awk -v seed=N -v round=N -v worker=N -v again=1 ... <KEYS

function claim(k,	amount)
{
	amount = 10 + substr(k, 2) % 37
	if (!again && pick(12) == 0)
		amount++
	try("claim", k, "SELECT pay('" k "', " amount ", TAG)")
}

function move(	p, state)
{
	p = payment()
	state = one_of("paying|succeeded|failed|checking|paying|succeeded")
	if (pick(2))
		try("move", p, "SELECT concat_ws('|', 'move', " p ", '" state "', outcome, state) FROM idem.transition('payment', '" p "', '" state "')", state)
	else
		try("move", p, "UPDATE payment SET status = '" state "' WHERE id = " p \
			" RETURNING concat_ws('|', 'move', id, status, 'applied', status)", state)
}

function refund(	p)
{
	p = payment()
	try("refund", p, "INSERT INTO refund (payment_id, amount, currency, status, tag) VALUES (" p ", " (1 + pick(60)) ", '" \
		(pick(20) ? "EUR" : "USD") "', 'requested', TAG) RETURNING concat_ws('|', 'refund', payment_id, id, tag, amount)")
}

function release(	p)
{
	p = payment()
	try("release", p, "UPDATE refund SET status = 'failed' WHERE id = (SELECT id FROM refund WHERE payment_id = " p \
		" AND status = 'requested' ORDER BY random() LIMIT 1) RETURNING concat_ws('|', 'release', payment_id, id)")
}

# What no guard may let through.
function forbidden(	p)
{
	p = payment()
	try("forbidden", p, one_of("UPDATE payment SET amount = amount + 1 WHERE id = " p \
		"|UPDATE payment SET currency = 'USD', note = note + 1 WHERE id = " p \
		"|UPDATE payment SET refunded = 0 WHERE id = " p \
		"|DELETE FROM payment WHERE id = " p \
		"|DELETE FROM refund WHERE payment_id = " p \
		"|UPDATE refund SET amount = amount - 1 WHERE payment_id = " p \
		"|UPDATE purse SET balance = balance + 1 WHERE id = " pick(9) \
		"|UPDATE purse SET held = 0 WHERE id = " pick(9) \
		"|UPDATE entry SET amount = amount + 1 WHERE purse = " pick(9) \
		"|UPDATE entry SET status = 'posted' WHERE status = 'pending' AND purse = " pick(9) \
		"|DELETE FROM entry WHERE purse = " pick(9)))
}

# From one purse to another, posted or held; one in twenty-five is out of
# balance, which is said at once or when it is to be committed.
function book(	a, off)
{
	a = pick(9)
	off = pick(25) == 0
	try("book", a, "SELECT book(" a ", " (a + 1 + pick(8)) % 9 ", " (1 + pick(200)) ", '" one_of("posted|pending") "', " off ", TAG)")
	if (off && pick(2))
		try("check", a, "SELECT FROM idem.check_journals()")
}

# A hold is posted, in part, in full or beyond, or given back.
function settle()
{
	if (pick(2))
		try("post", "hold", "SELECT post_hold(any_hold(), " one_of("50|90|99|120") ", TAG)")
	else
		try("void", "hold", "UPDATE entry SET status = 'void' WHERE journal_id = any_hold() AND status = 'pending' RETURNING concat_ws('|', 'void', id)")
}

# What is known of a key, which changes nothing.
function look(k)
{
	if (pick(2))
		try("look", k, "SELECT concat_ws('|', 'look', '" k "', outcome, settled, clock_timestamp()) FROM idem.lookup(scope_of('" k "'), '" k "')")
	else
	{
		k = "o" substr(k, 2)
		try("look", k, "SELECT concat_ws('|', 'look', '" k "', outcome, settled, clock_timestamp()) FROM idem.lookup('sent', '" k "')")
	}
}

# Prepare what was done and commit that, as a coordinator does.
function commit_prepared(	gid)
{
	gid = "p" round "." worker "." tx
	print "PREPARE TRANSACTION '" gid "';"
	print "\\if :ERROR"
	print "ROLLBACK;"
	print "\\else"
	print "COMMIT PREPARED '" gid "';"
	print "\\endif"
}

# A reversal that may come before its original.  A third of them would be
# prepared, which must be refused to a call that wrote: whoever commits it
# cannot be made to wait.  One that was told what others wrote may be.
function fence(k,	gid)
{
	print "\\set wrote f"
	print "BEGIN;"
	try("fence", k, "SELECT concat_ws('|', 'fence', '" k "', outcome, settled, clock_timestamp()) FROM idem.fence('sent', '" k "', 'the customer changed their mind')")
	print "SELECT count(*) > 0 AS wrote FROM idem.reservation WHERE key = '" k "' AND xmin::text = pg_current_xact_id_if_assigned()::xid::text \\gset"
	print "\\echo wrote|" k "|:wrote"
	if (pick(3))
	{
		print "COMMIT;"
		return
	}
	gid = "f" round "." worker "." tx
	try("prepare", k, "PREPARE TRANSACTION '" gid "'")
	print "\\if :ERROR"
	print "ROLLBACK;"
	print "\\else"
	print "\\echo prepared|" k "|:wrote"
	print "COMMIT PREPARED '" gid "';"
	print "\\endif"
}

# A claim of a key that carries a day, beside one who forgets old days.
function dated(	n, m)
{
	if (pick(4))
	{
		n = day(pick(4))
		m = pick(6)
		try("dated", n, "SELECT pay_dated(" n ", " m ", TAG)")
	}
	else
	{
		n = day(2)
		try("retire", n, "SELECT concat_ws('|', 'retire', " n ", removed) FROM idem.retire('dated', before => day_of(" n "))", n)
	}
}

# Claims, reservations and fences in a scope that is dropped meanwhile.
function mayfly(	k, dice)
{
	k = "m" pick(30)
	dice = pick(4)
	print "BEGIN;"
	if (dice < 2)
		try("mayfly", k, "SELECT pay_mayfly('" k "', TAG)")
	else if (dice < 3)
		try("mayfly", k, "SELECT hold_mayfly('" k "')")
	else
		try("mayfly", k, "SELECT concat_ws('|', 'mayfly', '" k "', outcome, 'f') FROM idem.fence('mayfly', '" k "', 'it will not be')")
	print pick(10) ? "COMMIT;" : "ROLLBACK;"
}

# An effect outside: the line "sent" in the worker's file is the effect.  It is
# written where, and only where, dispatch said "granted".  A reservation whose
# COMMIT failed (40001 under SERIALIZABLE) is none.
function outside(k)
{
	print "\\set mine f"
	print "\\set sent_granted f"
	print "\\set reserved"
	print "\\set reserved_settled"
	print "BEGIN ISOLATION LEVEL " level ";"
	try("reserve", k, "SELECT outcome AS reserved, settled AS reserved_settled, token, outcome = 'reserved' AS mine FROM idem.reserve('sent', '" k \
		"', '{\"amount\": 5}', lease => '50 ms') \\gset")
	print "COMMIT;"
	print "\\if :ERROR"
	print "\\set mine f"
	print "\\else"
	print "\\echo reserve|" k "|:reserved|:reserved_settled"
	print "\\endif"
	if (pick(4) == 0)
		print "SELECT FROM pg_sleep(0.02);"
	print "\\if :mine"
	if (!again && pick(10) == 0)
	{
		try("give back", k, "SELECT outcome FROM idem.release('sent', '" k "', :token)")
		print "\\set mine f"
	}
	if (!again && pick(10) == 0)
		try("due", k, "SELECT count(*) FROM idem.due('sent', 3)")
	print "\\endif"
	print "\\if :mine"
	try("dispatch", k, "CALL idem.dispatch('sent', '" k "', :token) \\gset sent_")
	print "\\if :sent_granted"
	print "\\echo sent|" k "|" tag
	print "\\else"
	print "\\echo unsent|" k "|:sent_outcome"
	print "\\endif"
	print "\\endif"
	print "\\if :sent_granted"
	try("complete", k, "SELECT concat_ws('|', 'complete', key, outcome, settled) FROM idem.complete('sent', '" k "', :token, '" \
		one_of("succeeded|succeeded|unknown") "', '{\"ok\": true}')")
	if (pick(4) == 0)
		try("resolve", k, "SELECT concat_ws('|', 'resolve', key, outcome, settled) FROM idem.resolve('sent', '" k "', 'succeeded', '{\"notice\": true}', '{\"ok\": true}')")
	if (pick(4) == 0)
		try("complete", k, "SELECT concat_ws('|', 'complete', key, outcome, settled) FROM idem.complete('sent', '" k "', :token, 'failed', '{\"no\": true}')")
	print "\\endif"
	print "\\echo COMMIT"
}

function any(	dice)
{
	if ((kind == "stale" || kind == "persons") && pick(3) == 0)
	{
		stopped()
		return
	}
	if (pick(3) == 0)
	{
		any_room()
		return
	}
	dice = pick(25)
	if (dice >= 24)
		try("purse", p = pick(9), "SELECT see_purse(" p ")")
	else if (dice >= 22)
		settle()
	else if (dice >= 20)
		book()
	else if (dice < 7)
		claim(key())
	else if (dice < 11)
		move()
	else if (dice < 14)
		refund()
	else if (dice < 15)
		release()
	else if (dice < 16)
		forbidden()
	else if (dice < 17 && pick(3) == 0)
		dated()
	else if (dice < 17 && pick(3) == 0)
		look(key())
	else if (dice < 17 && pick(2))
		print "SELECT FROM pg_sleep(0.003);"
	else if (dice < 17)
		try("note", payment(), "UPDATE payment SET note = note + 1 WHERE id = " payment())
	else
		try("see", p = payment(), "SELECT see(" p ")")
}

# A client that was cut off comes again, with every key that it tried.
again {
	statement = 0
	tx = NR
	level = "READ COMMITTED"
	print "\\echo tx|" tx "|" level
	if ($1 ~ /^o/)
		outside($1)
	else if ($1 ~ /^i/)
		wired($1)
	else
	{
		print "BEGIN;"
		if ($1 ~ /^b/)
			bound($1)
		else if ($1 ~ /^w/)
			own($1)
		else
			claim($1)
		print "COMMIT;"
	}
	print "SELECT 'end|' || clock_timestamp();"
}

BEGIN {
	srand(seed * 64 + worker)
	print "\\set asked infinity"
	print "SELECT 'end|' || clock_timestamp();"
	for (tx = 1; tx <= count; tx++)
	{
		statement = 0
		level = one_of("READ COMMITTED|REPEATABLE READ|SERIALIZABLE")
		if (kind == "scopes" && pick(2) || pick(40) == 0)
		{
			print "\\echo tx|" tx "|READ COMMITTED"
			if (kind == "scopes")
				mayfly()
			else
				fence("o" substr(key(), 2))
			print "SELECT 'end|' || clock_timestamp();"
			continue
		}
		print "\\echo tx|" tx "|" level
		if (pick(7) == 0)
		{
			if (pick(5) < 3)
				outside("o" substr(key(), 2))
			else
				wired("i" substr(key(), 2))
			print "SELECT 'end|' || clock_timestamp();"
			continue
		}
		print "BEGIN ISOLATION LEVEL " level ";"
		if (pick(4) == 0)
		{
			p = payment()
			try("see", p, "SELECT see(" p ")")
			any()
			try("see", p, "SELECT see(" p ")")
		}
		else
			any()
		if (pick(5) == 0)
		{
			print "\\echo save"
			print "SAVEPOINT s;"
			any()
			print "ROLLBACK TO s;"
			print "\\echo back"
		}
		for (more = pick(3); more > 0; more--)
			any()
		if (kind == "prepared" && pick(3) == 0)
			leave_prepared()
		else if (pick(12) == 0)
			commit_prepared()
		else
			print pick(10) ? "COMMIT;" : "ROLLBACK;"
		print "SELECT 'end|' || clock_timestamp();"
	}
}
