# words.awk - what the scripts of faults.sh are made of
#
# Every transaction says "tx|number|level", before each statement "try|what|on
# what|tag|to what", after it "code|SQLSTATE", and after its end "end|time"; psql
# itself says COMMIT or ROLLBACK.  One line each, so that said.awk can read the
# history.

function pick(n)
{
	return int(rand() * n)
}

function one_of(list,	words, n)
{
	n = split(list, words, "|")
	return words[1 + pick(n)]
}

# Keys that all workers come to at about the same time; some of a round before.
function key()
{
	return "k" (round * 400 + int(tx * 360 / count) + pick(40) - (pick(10) ? 0 : 400))
}

# Payments of this round, and of the one before on the same database.

function payment(	nth)
{
	nth = (round - 1) % generation
	return 1 + nth * 20 + pick(nth ? 40 : 20) - (nth ? 20 : 0)
}

# Days of this round: keys that carry one may be retired once it is over.
function day(back)
{
	return (round - 1) % generation * 20 + int(tx * 18 / count) + pick(3) - back
}

function try(what, on, sql, to)
{
	tag = round "." worker "." tx "." ++statement
	gsub(/TAG/, "'" tag "'", sql)
	print "\\echo try|" what "|" on "|" tag "|" to
	print sql (sql ~ /gset/ ? "" : ";")
	print "\\echo code|:SQLSTATE|:LAST_ERROR_MESSAGE"
}
