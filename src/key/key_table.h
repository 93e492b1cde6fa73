/*
 * key_table.h
 *		The tables that keys are kept in, and their rows.
 */
#ifndef IDEM_KEY_TABLE_H
#define IDEM_KEY_TABLE_H

#include "access/genam.h"
#include "access/htup.h"
#include "executor/tuptable.h"
#include "nodes/pg_list.h"
#include "storage/lockdefs.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

#include "base/commit.h"
#include "key/key.h"

/* Columns of idem.anchor, and the states an anchor can be in. */
#define Anum_anchor_digest			1
#define Anum_anchor_first_seen		2
#define Anum_anchor_scope			3
#define Anum_anchor_state			4
#define Anum_anchor_key				5
#define Anum_anchor_fingerprint		6
#define Anum_anchor_response		7
#define Natts_anchor				7

#define IDEM_STATE_CLAIMED			'c' /* once committed, it succeeded */
#define IDEM_STATE_SUCCEEDED		's' /* completed with a response */
#define IDEM_STATE_DROPPED			'd' /* and the response dropped since */
#define IDEM_STATE_ADOPTED			'a' /* done before idem knew of it */
#define IDEM_STATE_FENCED			'n' /* never ran and never will */

/* Columns of idem.sighting */
#define Anum_sighting_digest		1
#define Anum_sighting_first_seen	2
#define Anum_sighting_scope			3
#define Anum_sighting_key			4
#define Natts_sighting				4

/*
 * Of idem.reservation: the columns of idem.anchor come first, so that both
 * tables are probed and written alike.
 */
#define Anum_reservation_token			10
#define Anum_reservation_attempt		11
#define Anum_reservation_step			12
#define Anum_reservation_finished_at	15
#define Anum_reservation_due_at		16
#define Anum_reservation_dropped		19
#define Natts_reservation			25

/*
 * A scan of the unique index with a dirty snapshot, made by the first probe
 * and kept until the table is closed: many keys may be probed in one call.
 * The scan points to the snapshot, so neither is ever copied.
 */
typedef struct IdemProbe
{
	MemoryContext context;		/* the one the table was opened in */
	SnapshotData dirty;
	IndexScanDesc scan;			/* NULL before the first probe */
	TupleTableSlot *slot;
} IdemProbe;

/* A table that is open: idem.anchor, idem.reservation or idem.sighting. */
typedef struct IdemAnchor
{
	Relation	table;
	LOCKMODE	lockmode;		/* of the table and what belongs to it */
	Relation	arbiter;		/* the valid unique index; of sightings, the
								 * index of the digest */
	List	   *indexes;		/* ours, copies being built included, from the
								 * first row written on */
	List	   *others;			/* those that somebody else made */
	int			natts;			/* how many columns are ours: the first ones */
	IdemProbe	probe;			/* what one probe leaves for the next */
	struct IdemAnchor *sightings;	/* beside anchors, NULL: not open */
} IdemAnchor;

typedef enum IdemHeld
{
	IDEM_HELD_NOT,				/* no anchor: the key is new */
	IDEM_HELD_OWN,				/* taken by this transaction */
	IDEM_HELD_RIVAL,			/* by another one that has not ended */
	IDEM_HELD_COMMITTED
} IdemHeld;

/* What a probe found; the row only if it is held. */
typedef struct IdemFound
{
	IdemHeld	held;
	bool		written;		/* the row as it is was written by us */
	TransactionId rival;		/* of IDEM_HELD_RIVAL */
	IdemCommit	commit;			/* that wrote the row, if it is committed */
	HeapTuple	tuple;			/* a copy; toast pointers not followed */
	Datum		values[Natts_reservation];
	bool		nulls[Natts_reservation];
} IdemFound;

/* key_table.c */
extern const IdemScope *idem_key_open(text *name, LOCKMODE lockmode,
									  IdemAnchor *keys);
extern void idem_key_open_anchors(IdemAnchor *anchor, LOCKMODE lockmode);
extern void idem_key_close(IdemAnchor *anchor);

/* key_anchor.c */
extern void idem_key_probe(IdemAnchor *anchor, const IdemKey *key,
						   IdemFound *found);
extern void idem_key_find(IdemAnchor *anchor, const IdemKey *key,
						  IdemFound *found);
extern bool idem_key_lock(IdemAnchor *anchor, const IdemKey *key, bool wait,
						  IdemFound *found);
extern bool idem_key_insert_anchor(IdemAnchor *anchor, const IdemKey *key,
								   bytea *fingerprint, TimestampTz first_seen,
								   char state);
extern bool idem_key_insert(IdemAnchor *anchor, const IdemKey *key,
							Datum *values, bool *nulls);
extern void idem_key_update(IdemAnchor *anchor, const IdemFound *found,
							Datum *values, bool *nulls);
extern bool idem_key_read(IdemAnchor *anchor, const IdemKey *key,
						  IdemFound *found);
extern void idem_key_check_visible(IdemAnchor *anchor, const IdemKey *key,
								   IdemFound *found);

#endif							/* IDEM_KEY_TABLE_H */
