/*
 * codes.h
 *		What return codes mean: all that other rooms know of them.
 */
#ifndef IDEM_CODES_H
#define IDEM_CODES_H

#include "codes/codes_text.h"

/* codes.c */
extern bool idem_code_table_exists(const char *interface);
extern bool idem_code_table_lists(const char *interface, IdemMeaning meaning);
extern IdemMeaning idem_code_meaning(const char *interface,
									 const char *const *layers, int count,
									 bool *listed);

#endif							/* IDEM_CODES_H */
