/*
 * channel_inner.h
 *		What only the files of the room share.
 *
 *		channel_serial.c	the number under which a provider knows an attempt
 *		channel_cache.c		declared channels, remembered per session
 *		channel_pause.c		a channel that is paused
 *		channel_calendar.c	the days and hours of a provider
 *		channel_answer.c	what an answer means, and whether it is about this
 *							request
 *		channel_declare.c	declaring, altering and dropping
 *
 * A file uses what stands above it.
 */
#ifndef IDEM_CHANNEL_INNER_H
#define IDEM_CHANNEL_INNER_H

#include "channel/channel.h"

/* How serials are declared. */
typedef struct IdemSerial
{
	const char *form;
	const char *per;			/* key or attempt */
	int			max;			/* characters; 0: any number */
	const char *charset;		/* NULL: all */
	int64		first;			/* 0: not said */
	const char *calendar;		/* NULL: none */
} IdemSerial;

/* channel_serial.c */
typedef struct IdemSerialForm IdemSerialForm;

extern IdemSerialForm *idem_channel_read_serial(const IdemSerial *serial);
extern bool idem_channel_serial_counts(const struct IdemSerialForm *form);
extern char *idem_channel_sequence(const char *channel);

#endif							/* IDEM_CHANNEL_INNER_H */
