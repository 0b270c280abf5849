/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CLI_INTERRUPT_H
#define TOOLS_CLI_INTERRUPT_H

/* SIGINT and SIGTERM as a question asked between two operations. The second signal ends the process
 * at once. */

void interrupt_install(void);

/* 1 once a signal came. `context` is ignored: the form tensor_set_interrupt() wants. */
int interrupt_wanted(void *context);

#endif
