/*
 * offer.h
 *		What rooms show under one name.
 */
#ifndef IDEM_OFFER_H
#define IDEM_OFFER_H

extern char *idem_offered_sql(const char *word, const char *columns);

#endif							/* IDEM_OFFER_H */
