# rooms.awk - what else a worker does, on the tables of rooms.sql

# The time at which a session asks, which no answer can be older than.
function ask_the_time()
{
	print "SELECT clock_timestamp() AS asked \\gset"
}

# One in six does not claim, and one in six claims in a savepoint that is rolled
# back; who claims does not look at the answer.
function bound(k,	dice)
{
	dice = again ? 5 : pick(6)
	if (dice == 1)
	{
		print "\\echo save"
		print "SAVEPOINT b;"
	}
	if (dice > 0)
		try("bound", k, "SELECT concat_ws('|', 'bound', key, outcome, granted, settled) FROM idem.claim('bound', '" k "')")
	if (dice == 1)
	{
		print "ROLLBACK TO b;"
		print "\\echo back"
	}
	try("row", k, "INSERT INTO bound_effect VALUES ('" k "', TAG) RETURNING concat_ws('|', 'row', key, tag)")
}

# The same with keys in a table of the user's; one in twelve asks for something
# else under the key.
function own(k,	part, amount)
{
	part = substr(k, 2) % 3
	amount = 10 + substr(k, 2) % 37 + (again || pick(12) ? 0 : 1)
	if (again || pick(6))
		try("own", k, "INSERT INTO own_key (part, key, request) VALUES (" part ", '" k "', '{\"amount\": " amount "}') ON CONFLICT DO NOTHING RETURNING concat_ws('|', 'own', key, 'granted', 't')")
	try("own row", k, "INSERT INTO own_effect VALUES (" part ", '" k "', TAG) RETURNING concat_ws('|', 'ownrow', key, tag)")
}

# A parcel is asked for, sent, or given up.
function parcel(	p, to)
{
	p = payment()
	to = one_of("asked|asked|sent|lost")
	if (pick(2))
		try("parcel", p, "INSERT INTO parcel (payment_id, status, tag) VALUES (" p ", '" to "', TAG) RETURNING concat_ws('|', 'parcel', payment_id, id, tag, status)")
	else
		try("parcel moved", p, "UPDATE parcel SET status = '" to "' WHERE id = (SELECT id FROM parcel WHERE payment_id = " p \
			" ORDER BY random() LIMIT 1) RETURNING concat_ws('|', 'parceled', payment_id, id, status)")
}

# An entry of a day, or the end of one.  Who adds up what it has waited for does
# so with a snapshot of after the wait.
function entry(	d)
{
	d = (round - 1) % generation * 20 + int(tx * 18 / count) + pick(3)
	if (pick(8) || level != "READ COMMITTED")
	{
		try("entry", d, "INSERT INTO day_entry (day_id, amount, tag) VALUES (" d ", " 1 + pick(100) ", TAG) RETURNING concat_ws('|', 'entry', day_id, id, tag, amount)")
		if (pick(2))
			print "SELECT FROM pg_sleep(0.01);"
	}
	else
		try("close", d, "SELECT close_day(" d ")")
}

# Sixty keys of each round for twenty users, so that three may be the same.
function suspect(	n, scope, k)
{
	n = pick(60)
	scope = pick(3) ? "held" : "listed"
	k = substr(scope, 1, 1) round "-" n
	try("suspect", k, "SELECT pay_suspect('" scope "', '" k "', 'u" round "-" n % 20 "', " (pick(6) ? "NULL" : "'asked, and said yes'") ", TAG)")
}

# What may be stopped, or defined anew, at this moment.
function stopped(	i, from)
{
	ask_the_time()
	i = pick(4)
	if (i < 2)
		try("stop", round, "SELECT pay_stop('s" round "." worker "." tx "." statement "', :'asked')")
	else if (i < 3)
		try("mean", "2002", "SELECT concat_ws('|', 'mean', '2002', meaning, '', :'asked', clock_timestamp()) FROM idem.meaning_of('toggle', '{2002}')")
	else
	{
		i = pick(40)
		from = one_of("a|b|b|c")
		try("toggle", i, "UPDATE toggle SET status = '" (from == "b" ? one_of("a|a|c") : from == "a" ? "b" : "a") "' WHERE id = " i \
			" AND status = '" from "' RETURNING concat_ws('|', 'toggled', id, status, '" from "', :'asked', clock_timestamp())")
	}
}

# A line of our book, of the bank's, or of both, which do not always agree; and
# the comparison, what the bank sends late, and an end of what differs.
function line(	d, serial, amount, off, dice)
{
	d = "date '2001-01-01' + " (round - 1) % generation * 3 + pick(3)
	serial = "r" round "." worker "." (pick(20) ? tx : int(tx / 2)) "." statement
	amount = 1 + pick(100)
	dice = pick(12)
	if (dice == 0)
		try("compare", "both", "SELECT concat_ws('|', 'compared', 'both', count(*)) FROM idem.reconcile('both', " d ")")
	else if (dice == 1)
		try("explain", "both", "SELECT explain_one('as it is')")
	else if (dice == 4)
		try("line", "late", "INSERT INTO bank_line SELECT day, serial, amount, TAG FROM book_line o WHERE NOT EXISTS (SELECT FROM bank_line t WHERE (t.day, t.serial) = (o.day, o.serial))" \
			" ORDER BY random() LIMIT 1 RETURNING concat_ws('|', 'line', 'bank', serial, tag, amount)")
	else
	{
		off = pick(10) ? 0 : 1
		if (dice != 2)
			try("line", serial, "INSERT INTO book_line VALUES (" d ", '" serial "', " amount ", TAG) RETURNING concat_ws('|', 'line', 'book', serial, tag, amount)")
		if (dice != 3)
			try("line", serial, "INSERT INTO bank_line VALUES (" d ", '" serial "', " amount + off ", TAG) RETURNING concat_ws('|', 'line', 'bank', serial, tag, amount)")
	}
}

function say_answer()
{
	return "SELECT concat_ws('|', 'answered', key, outcome, settled, state)"
}

function answer_of(code, serial, amount)
{
	return "jsonb_build_object('code', '" code "', 'serial', " serial ", 'amount', " amount ")"
}

# An order to one of two banks: the line "wired" in the worker's file is the
# order, and says what the bank makes of it (paid, refused, or it never gets it).
# What the bank answers may be about another payment, in no code that anybody
# knows, or nothing; then it sends notices, and is asked.
function wired(k,	amount, truth, dice, answer)
{
	amount = 10 + substr(k, 2) % 37
	truth = one_of("paid|paid|paid|refused|never")
	print "\\set mine f"
	print "\\set wired_granted f"
	print "BEGIN ISOLATION LEVEL " level ";"
	try("order", k, "SELECT token, outcome = 'reserved' AS mine FROM idem.reserve('wired', '" k "', '{\"amount\": " amount "}', lease => '50 ms') \\gset")
	print "COMMIT;"
	print "\\if :ERROR"
	print "\\set mine f"
	print "\\endif"
	print "\\if :mine"
	try("dispatch", k, "CALL idem.dispatch('wired', '" k "', :token, channel => '" one_of("bankA|bankB") "') \\gset wired_")
	print "\\if :wired_granted"
	print "\\echo wired|" k "|:wired_serial|:wired_channel|:wired_attempt|" truth "|" tag
	print "\\endif"
	print "\\endif"
	print "\\if :wired_granted"
	dice = pick(8)
	if (dice < 3)
		answer = truth == "never" ? "NULL" : answer_of(truth == "paid" ? "0000" : "2001", ":'wired_serial'", amount)
	else if (dice == 3)
		answer = answer_of("0000", "'another-' || :'wired_serial'", amount)
	else if (dice == 4)
		answer = answer_of("0000", ":'wired_serial'", amount + 1)
	else if (dice == 5)
		answer = answer_of("9999", ":'wired_serial'", amount)
	else if (dice == 6)
		answer = answer_of("7013", ":'wired_serial'", amount)
	else
		answer = "NULL"
	try("answer", k, say_answer() " FROM idem.complete('wired', '" k "', :token, answer => " answer ")")
	if (truth == "paid" && pick(2))
	{
		try("notice", k, say_answer() " FROM idem.resolve('wired', '" k "', attempt => :wired_attempt, via => :'wired_channel' || '/notice', answer => " \
			answer_of("SUCCESS", ":'wired_serial'", amount) ")")
		if (pick(3) == 0)
			try("notice", k, say_answer() " FROM idem.resolve('wired', '" k "', attempt => :wired_attempt, via => :'wired_channel' || '/notice', answer => " \
				answer_of("RETURNED", ":'wired_serial'", amount) " || '{\"business_date\": \"2018-07-20\"}')")
	}
	if (truth == "never" && pick(2))
		for (dice = 0; dice < 2; dice++)
		{
			print "SELECT FROM pg_sleep(0.03);"
			try("notice", k, say_answer() " FROM idem.resolve('wired', '" k "', attempt => :wired_attempt, via => :'wired_channel' || '/query', answer => " \
				"jsonb_build_object('code', '4004', 'serial', :'wired_serial'))")
		}
	print "\\endif"
	print "\\echo COMMIT"
}

function any_room(	dice)
{
	dice = pick(17)
	if (dice < 3)
		bound("b" substr(key(), 2))
	else if (dice < 5)
		own("w" substr(key(), 2))
	else if (dice < 7)
		parcel()
	else if (dice < 8)
		try("parcels", p = payment(), "SELECT see_parcels(" p ")")
	else if (dice < 11)
		entry()
	else if (dice < 13)
		suspect()
	else if (dice < 15)
		stopped()
	else
		line()
}

# Leave what was prepared to a coordinator, which commits every second one.
function leave_prepared(	gid)
{
	gid = "q" round "." worker "." tx
	print "PREPARE TRANSACTION '" gid "';"
	print "\\if :ERROR"
	print "ROLLBACK;"
	print "\\else"
	print "\\echo left|" gid
	print "\\endif"
}
