/*
 * key_member.h
 *		A member of a request or of an answer, by its name.
 */
#ifndef IDEM_KEY_MEMBER_H
#define IDEM_KEY_MEMBER_H

/* A member of the request that has to agree on a repeat; or of an answer. */
typedef struct IdemMember
{
	const char *name;			/* not terminated */
	int			len;			/* 1 to 255 */
} IdemMember;

#endif							/* IDEM_KEY_MEMBER_H */
