/*
 * key_log.h
 *		What is only ever added for a key.
 */
#ifndef IDEM_KEY_LOG_H
#define IDEM_KEY_LOG_H

#include "access/htup.h"
#include "storage/lockdefs.h"
#include "utils/array.h"
#include "utils/jsonb.h"
#include "utils/relcache.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "key/key.h"

/* A row of idem.evidence; what is NULL or 0 is not known. */
typedef struct IdemEvidence
{
	const char *action;
	const char *outcome;
	int32		attempt;
	Jsonb	   *evidence;
	Jsonb	   *response;
	const char *reason;
	TimestampTz asked_at;
	const char *via;
	ArrayType  *codes;
	Datum		settled_amount; /* numeric */
	bool		has_settled_amount;
} IdemEvidence;

/* A row of idem.late_result; what is NULL or 0 is not known. */
typedef struct IdemLateResult
{
	int64		token;
	int32		attempt;
	const char *outcome;
	Jsonb	   *response;
	Jsonb	   *evidence;
	TimestampTz asked_at;
	const char *via;
	ArrayType  *codes;
	ArrayType  *mismatch;
	const char *state;			/* that it met */
	int64		newest;			/* token of the key at that time */
} IdemLateResult;

/* A row of a log of keys, about to be written. */
typedef struct IdemKeyLogRow
{
	Relation	log;
	Datum	   *values;			/* as many as the log has columns */
	bool	   *nulls;
} IdemKeyLogRow;

/* The columns with which each log of keys, and its primary key, begins. */
#define Anum_key_log_scope			1
#define Anum_key_log_key			2
#define Anum_key_log_number			3	/* n, or attempt */

/* key_log.c */
extern void idem_key_keep_evidence(const IdemKey *key,
								   const IdemEvidence *evidence);
extern void idem_key_keep_confirmation(const IdemKey *key,
									   const pg_uuid_t *members,
									   const char *reason);
extern bool idem_key_was_confirmed(const IdemKey *key,
								   const pg_uuid_t *members, TimestampTz *at);
extern void idem_key_keep_late_result(const IdemKey *key,
									  const IdemLateResult *late);
extern void idem_key_log_begin(IdemKeyLogRow *row, const char *name, int natts,
							   const IdemKey *key);
extern void idem_key_log_put(IdemKeyLogRow *row, int attnum, Datum value);
extern void idem_key_log_put_pointer(IdemKeyLogRow *row, int attnum,
									 const void *value);
extern void idem_key_log_add(IdemKeyLogRow *row);
extern void idem_key_log_insert(IdemKeyLogRow *row);
extern Relation idem_key_log_open(const char *name, int natts,
								  LOCKMODE lockmode);
extern HeapTuple idem_key_log_find(Relation log, const IdemKey *key,
								   int32 number);

#endif							/* IDEM_KEY_LOG_H */
