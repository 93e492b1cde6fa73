/*
 * channel.h
 *		Providers: which number and which day an attempt goes by, and what an
 *		answer means.
 *
 * What room send asks stands here; what only the files of this room share, in
 * channel_inner.h.
 */
#ifndef IDEM_CHANNEL_H
#define IDEM_CHANNEL_H

#include "utils/array.h"
#include "utils/date.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "key/key_member.h"

struct IdemKey;
struct IdemScope;

/* What may say that an effect never arrived. */
typedef enum IdemAbsence
{
	IDEM_ABSENCE_OPERATOR,
	IDEM_ABSENCE_INQUIRY,
	IDEM_ABSENCE_STATEMENT
} IdemAbsence;

/* The interfaces of a channel, in the order of the columns. */
typedef enum IdemInterface
{
	IDEM_INTERFACE_SEND,
	IDEM_INTERFACE_INQUIRE,
	IDEM_INTERFACE_NOTICE,
	IDEM_INTERFACE_STATEMENT,
	IDEM_INTERFACES
} IdemInterface;

/* The form of a serial, read: see channel_serial.c */
struct IdemSerialForm;

typedef struct IdemChannel
{
	char		name[NAMEDATALEN];	/* hash key, must be first */
	char	   *interfaces[IDEM_INTERFACES];	/* NULL: none */
	struct IdemSerialForm *serial;	/* NULL: none is made */
	bool		serial_per_key;
	int			necho;
	IdemMember *echo;
	bool		echoes_serial;	/* one of them is "serial" */
	IdemMember	amount;
	IdemAbsence absence;
	int64		quiet;			/* microseconds */
	bool		records_partial;
	int			presume_days;	/* 0: never */
	int64		window;			/* 0: numbers are known for good */
	char	   *calendar;		/* NULL: none */
} IdemChannel;

/* What an answer means, the least first. */
typedef enum IdemWord
{
	IDEM_WORD_UNKNOWN,
	IDEM_WORD_ABSENT,
	IDEM_WORD_FAILED,
	IDEM_WORD_SUCCEEDED,
	IDEM_WORD_RETURNED
} IdemWord;

/* The attempt that an answer is held against. */
typedef struct IdemSent
{
	const IdemChannel *channel;
	text	   *serial;			/* NULL: none was made */
	bool		has_date;
	DateADT		business_date;
	bool		has_other_date;
	DateADT		other_date;
	Jsonb	   *request;		/* NULL: there was none, or it was dropped */
	bool		dropped;		/* then only the serial can be compared */
} IdemSent;

/* What was found in an answer. */
typedef struct IdemVerdict
{
	IdemWord	word;
	ArrayType  *codes;			/* a layer an element; NULL: no code */
	bool		listed;
	ArrayType  *mismatch;		/* members that are not of this request; or
								 * NULL */
	bool		ran;			/* even so something ran, under this serial
								 * for all that is known */
	const char *detail;			/* why it says less than its code; or NULL */
	Datum		amount;			/* of another amount, and of a return */
	bool		has_amount;
	DateADT		date;			/* the provider's, if the answer has one */
	bool		has_date;
	bool		names_days;		/* it says which days it speaks of */
	int			days;			/* and of ours these: bit 0 business_date, bit
								 * 1 other_date */
} IdemVerdict;

/* channel_cache.c */
extern const IdemChannel *idem_channel_find(const char *name);
extern const IdemChannel *idem_channel_get(const char *name);
extern bool idem_channel_interface(const IdemChannel *channel,
								   const char *name, IdemInterface *which);

/* channel_pause.c */
extern char *idem_channel_paused(const IdemChannel *channel);
extern void idem_channel_pause_init(void);

/* channel_answer.c */
extern void idem_channel_judge(const IdemSent *sent, IdemInterface which,
							   Jsonb *answer, IdemVerdict *verdict);
extern bool idem_channel_all_days(const IdemSent *sent,
								  const IdemVerdict *verdict);
extern void idem_channel_check_request(const IdemChannel *channel,
									   Jsonb *request);
extern text *idem_channel_named_serial(Jsonb *answer);
extern bool idem_channel_same_serial(text *serial, text *other);
extern Jsonb *idem_channel_trim(const struct IdemScope *scope,
								const IdemChannel *channel, Jsonb *answer,
								Jsonb *request);

/* channel_serial.c */
extern text *idem_channel_serial(const IdemChannel *channel,
								 const struct IdemKey *key, int32 attempt,
								 TimestampTz now);
extern bool idem_channel_counts(const IdemChannel *channel);
extern void idem_channel_leave_out(const IdemChannel *channel, int64 numbers,
								   TimestampTz now);
extern bool idem_channel_serial_fits(const IdemChannel *channel, text *serial);
extern bool idem_channel_same_form(const IdemChannel *a, const IdemChannel *b);

/* channel_calendar.c */
extern TimestampTz idem_channel_closed_until(const IdemChannel *channel,
											 TimestampTz now);
extern void idem_channel_dates(const IdemChannel *channel, TimestampTz now,
							   IdemSent *sent);

#endif							/* IDEM_CHANNEL_H */
