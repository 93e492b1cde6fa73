/*
 * site.h
 *		Is this server the place from which effects may leave?
 */
#ifndef IDEM_SITE_H
#define IDEM_SITE_H

#include "utils/timestamp.h"

/*
 * The cluster, its timeline, the database in it, its table idem.site, and the
 * backup it was.
 */
typedef struct IdemStamp
{
	int64		system;
	int64		timeline;
	Oid			database;
	Oid			relation;
	char	   *backup;			/* NULL: none */
} IdemStamp;

/* The row of idem.site. */
typedef struct IdemSite
{
	bool		set;			/* there is one; else the rest is zeroes */
	char	   *name;
	char	   *on_move;		/* NULL: not said */
	IdemStamp	stamp;
	TimestampTz held_until;		/* 0: nothing is held */
} IdemSite;

/*
 * What a session remembers: that effects may leave here, or that no place was
 * set.  Anything else is looked at each time.
 */
extern bool idem_site_here;
extern TimestampTz idem_site_held;

extern const char *idem_site_look(void);

/*
 * Why no effect may leave here, NULL if they may: all that a call pays for is
 * the test of a flag.  Of now, if the caller has called idem_accept_news
 * (latest.h).
 */
static inline const char *
idem_site_away(void)
{
	return likely(idem_site_here) ? NULL : idem_site_look();
}

/*
 * Until when no key is reserved that is seen for the first time; 0 or past: it
 * may be.  Of the place that idem_site_away has just looked at.
 */
static inline TimestampTz
idem_site_held_until(void)
{
	return idem_site_held;
}

extern void idem_site_init(void);
extern void idem_site_follow(void);
extern void idem_site_read(IdemSite *site);
extern void idem_site_stamp(IdemStamp *stamp);
extern const char *idem_site_setting_flaw(const char *name);
extern bool idem_site_may_follow(void);
extern bool idem_has_site(void);

#endif							/* IDEM_SITE_H */
