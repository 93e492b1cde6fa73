# oracle.awk - what a state machine forbids, by someone who has not met idem
#
#	awk -f oracle.awk machine.tsv events.tsv
#
# machine.tsv: "entry" STATE, "final" STATE, "edge" SOURCE TARGET.
# events.tsv, in the order they happened: ROW NUMBER STATE.
# Prints for every event: ROW NUMBER and accepted, or the SQLSTATE it deserves;
# "already" for a state that is written again without an edge to itself.

BEGIN { FS = OFS = "\t" }

FILENAME == ARGV[1] {
	if ($1 == "entry")
		entry[$2] = 1
	else if ($1 == "final")
		final[$2] = 1
	else
		edge[$2, $3] = 1
	next
}

{
	if (!($1 in at)) {
		verdict = $3 in entry ? "accepted" : "23I02"
	} else if ((at[$1], $3) in edge) {
		verdict = "accepted"
	} else if (at[$1] == $3) {
		verdict = "already"
	} else {
		verdict = at[$1] in final ? "23I03" : "23I01"
	}
	if (verdict == "accepted")
		at[$1] = $3
	print $1, $2, verdict
}
