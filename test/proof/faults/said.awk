# said.awk - what a worker said, as rows for the table "said"
#
#	awk -v round=N -v durable=t -v kind=KIND -f said.awk FILE...
#
# A file is called after the number of its worker.  A transaction whose end was
# not heard of is "unknown": it may have committed.  Without the time after it,
# because a fault came between, an end that was heard of has none; and one that
# was left prepared ends at some time, as its coordinator decides by its number.

function flush(ended_at,	i)
{
	for (i = 1; i <= rows; i++)
		print round, kind, durable, worker, tx, level, began, ended, \
			(ended == "unknown" || left ? "\\N" : ended_at), i, (undone[i] ? "t" : "f"), row[i]
	rows = 0
	tx = ""
}

BEGIN {
	FS = "|"
	OFS = "\t"
}

FNR == 1 {
	if (tx != "")
		flush("\\N")
	worker = FILENAME
	gsub(/.*\/|\..*/, "", worker)
	now = "\\N"
}

$1 == "tx" {
	flush("\\N")
	tx = $2
	level = $3
	began = now
	ended = "unknown"
	left = depth = 0
	next
}

tx == "" && $1 != "end" { next }

$1 == "end" && NF == 2 {
	now = $2
	if (tx != "")
		flush(now)
	next
}

$1 == "save" {
	saved[++depth] = rows + 1
	next
}

$1 == "back" {
	for (i = saved[depth--]; i <= rows; i++)
		undone[i] = 1
	next
}

$1 == "left" {
	split($2, gid, ".")
	# what had failed was rolled back, without another error
	left = ended == "unknown"
	if (left)
		ended = (gid[3] % 2 ? "ROLLBACK" : "COMMIT")
	next
}

$0 == "COMMIT" || $0 == "ROLLBACK" || $0 == "COMMIT PREPARED" {
	# between "save" and "back" it is the tag of ROLLBACK TO
	if (!depth)
		ended = ($0 == "ROLLBACK" ? $0 : "COMMIT")
	next
}

/^(try|code|claim|move|refund|release|see|reserve|sent|unsent|complete|resolve|look|fence|wrote|book|void|purse|prepared|mayfly|dated|retire|bound|row|own|ownrow|parcel|parceled|parcels|entry|closed|suspect|stop|mean|toggled|compared|explained|line|wired|answered|pause|resume|standing|approve|define)\|/ {
	undone[++rows] = 0
	gsub(/[\\\t]/, " ")
	line = $1
	for (i = 2; i <= 7; i++)
		line = line OFS (i <= NF ? $i : "\\N")
	row[rows] = line
}

END {
	if (tx != "")
		flush("\\N")
}
