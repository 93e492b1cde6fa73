# expected.awk - which cancellations fit into what was bought before them
#
#	awk -f expected.awk lines.csv > expected_refund_limit.csv
#
# The refund limit once more, written down without a database, to judge the
# one that idem keeps.  Per customer and article: what was bought so far, what
# was cancelled so far, once counted in pieces and once in millionths of money.
#
#	accepted          fits into what is left, and is counted from now on
#	no_purchase_seen  this customer never bought this article before
#	partly_over       something is left, but less than this
#	fully_over        nothing is left
#
# Lines come in the order of time.  A refused cancellation changes nothing, and
# the two ways of counting know nothing of each other.

BEGIN {
	FS = ","
	print "cancel_seq,invoice,stock_code,customer_id,cancel_qty,unit_price," \
		"cancel_amount_micro,kind,verdict_qty,verdict_money"
}

NR == 1 || $8 == "" { next }

{
	key = $8 SUBSEP $4
	quantity = $5 < 0 ? -$5 : $5
	amount = quantity * int($7 * 1000000 + 0.5)
}

$3 == "sale" {
	bought[key] = 1
	left_qty[key] += quantity
	left_money[key] += amount
}

$3 == "cancel" {
	verdict_qty = verdict(key, quantity, left_qty[key] + 0)
	verdict_money = verdict(key, amount, left_money[key] + 0)
	if (verdict_qty == "accepted")
		left_qty[key] -= quantity
	if (verdict_money == "accepted")
		left_money[key] -= amount
	printf "%s,%s,%s,%s,%d,%s,%.0f,%s,%s,%s\n", $1, $2, $4, $8, quantity, $7,
		amount, kind($4), verdict_qty, verdict_money
}

function verdict(key, wanted, left)
{
	if (!(key in bought))
		return "no_purchase_seen"
	if (wanted <= left)
		return "accepted"
	return left > 0 ? "partly_over" : "fully_over"
}

# An article has five digits and at most two letters; the others are postage,
# discounts and corrections by hand.
function kind(stock_code)
{
	return stock_code ~ /^[0-9][0-9][0-9][0-9][0-9][A-Za-z]?[A-Za-z]?$/ \
		? "product" : "special"
}
