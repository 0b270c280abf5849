/* SPDX-License-Identifier: Apache-2.0 */
/* A stack machine. Values sit in an arena of blocks (their addresses stay), marks remember stack
 * heights, the memo maps numbers to values. Every opcode takes at least one byte, makes at most one
 * value and adds at most the values it pops to a container, so work and memory are linear in the
 * input and bounded by the PICKLE_*_MAX constants. Nothing here recurses: deep nesting and
 * self-reference are just pointers. */
#include "pipeline/weights/pickle.h"

#include <stdlib.h>
#include <string.h>

enum {
    BLOCK_VALUES = 512,
    STACK_FIRST = 256,
    PROTOCOL_MIN = 2,
    PROTOCOL_MAX = 4,
    CLASS_NAME_MAX = 1024
};

struct value_block {
    struct value_block *next;
    size_t count;
    struct pickle_value values[BLOCK_VALUES];
};

struct pickle {
    const unsigned char *bytes;
    size_t size, at;
    size_t op_at; /* of the opcode in work, for messages */
    struct value_block *blocks;
    size_t value_count;
    struct pickle_value **stack;
    size_t stack_count, stack_capacity;
    size_t *marks;
    size_t mark_count;
    struct pickle_value **memo;      /* NULL: not set */
    size_t memo_capacity, memo_next; /* memo_next: where MEMOIZE puts */
    struct pickle_value *root;
    struct pf_error *err; /* of the running pickle_read() */
};

static enum pf_status broken(struct pickle *pickle, const char *what)
{
    return pf_fail(pickle->err, PF_CORRUPT, "pickle, opcode 0x%02x at %zu: %s",
        pickle->op_at < pickle->size ? pickle->bytes[pickle->op_at] : 0, pickle->op_at, what);
}

static enum pf_status no_memory(struct pickle *pickle)
{
    return pf_fail(pickle->err, PF_NOMEM, "no memory for a pickle of %zu bytes", pickle->size);
}

/* --- bytes --- */

static enum pf_status take(struct pickle *pickle, size_t count, const unsigned char **ret_bytes)
{
    if (count > pickle->size - pickle->at)
        return pf_fail(pickle->err, PF_CORRUPT,
            "pickle, opcode 0x%02x at %zu: needs %zu more bytes, %zu are left",
            pickle->bytes[pickle->op_at], pickle->op_at, count, pickle->size - pickle->at);
    *ret_bytes = pickle->bytes + pickle->at;
    pickle->at += count;
    return PF_OK;
}

static enum pf_status take_number(struct pickle *pickle, int byte_count, uint64_t *ret_value)
{
    const unsigned char *bytes;
    PF_TRY(take(pickle, (size_t)byte_count, &bytes));
    uint64_t value = 0;
    for (int i = byte_count - 1; i >= 0; i--)
        value = value << 8 | bytes[i];
    *ret_value = value;
    return PF_OK;
}

static enum pf_status take_line(struct pickle *pickle, const char **ret_text, uint32_t *ret_size)
{
    const unsigned char *begin = pickle->bytes + pickle->at;
    size_t left = pickle->size - pickle->at;
    size_t bound = left < CLASS_NAME_MAX ? left : CLASS_NAME_MAX;
    const unsigned char *end = bound ? memchr(begin, '\n', bound) : NULL;
    if (!end)
        return broken(pickle, "a class name without end");
    *ret_text = (const char *)begin;
    *ret_size = (uint32_t)(end - begin);
    pickle->at += (size_t)(end - begin) + 1;
    return PF_OK;
}

/* --- values and stack --- */

static enum pf_status value_create(
    struct pickle *pickle, enum pickle_kind kind, struct pickle_value **ret_value)
{
    if (pickle->value_count >= PICKLE_VALUES_MAX)
        return broken(pickle, "too many values");
    if (!pickle->blocks || pickle->blocks->count == BLOCK_VALUES) {
        struct value_block *block = malloc(sizeof *block);
        if (!block)
            return no_memory(pickle);
        block->next = pickle->blocks;
        block->count = 0;
        pickle->blocks = block;
    }
    struct pickle_value *value = &pickle->blocks->values[pickle->blocks->count++];
    pickle->value_count++;
    *value = (struct pickle_value){.kind = kind};
    *ret_value = value;
    return PF_OK;
}

static enum pf_status push(struct pickle *pickle, struct pickle_value *value)
{
    if (pickle->stack_count == pickle->stack_capacity) {
        if (pickle->stack_count >= PICKLE_STACK_MAX)
            return broken(pickle, "the stack is too high");
        size_t capacity = pickle->stack_capacity * 2;
        struct pickle_value **stack = realloc(pickle->stack, capacity * sizeof *stack);
        if (!stack)
            return no_memory(pickle);
        pickle->stack = stack;
        pickle->stack_capacity = capacity;
    }
    pickle->stack[pickle->stack_count++] = value;
    return PF_OK;
}

static enum pf_status push_new(
    struct pickle *pickle, enum pickle_kind kind, struct pickle_value **ret_value)
{
    PF_TRY(value_create(pickle, kind, ret_value));
    return push(pickle, *ret_value);
}

/* Where the values above the last mark begin; without marks, the bottom. */
static size_t stack_floor(const struct pickle *pickle)
{
    return pickle->mark_count ? pickle->marks[pickle->mark_count - 1] : 0;
}

static enum pf_status pop(struct pickle *pickle, struct pickle_value **ret_value)
{
    if (pickle->stack_count <= stack_floor(pickle))
        return broken(pickle, "nothing on the stack");
    *ret_value = pickle->stack[--pickle->stack_count];
    return PF_OK;
}

static enum pf_status top(struct pickle *pickle, struct pickle_value **ret_value)
{
    if (pickle->stack_count <= stack_floor(pickle))
        return broken(pickle, "nothing on the stack");
    *ret_value = pickle->stack[pickle->stack_count - 1];
    return PF_OK;
}

/* Takes everything above the last mark off the stack, and the mark. The values stay readable at
 * ret_values until the next push. */
static enum pf_status pop_to_mark(
    struct pickle *pickle, struct pickle_value ***ret_values, size_t *ret_count)
{
    if (pickle->mark_count == 0)
        return broken(pickle, "no mark on the stack");
    size_t floor = pickle->marks[--pickle->mark_count];
    *ret_values = pickle->stack + floor;
    *ret_count = pickle->stack_count - floor;
    pickle->stack_count = floor;
    return PF_OK;
}

static enum pf_status add_items(struct pickle *pickle, struct pickle_value *container,
    struct pickle_value *const *values, size_t count)
{
    if (count > PICKLE_SEQUENCE_MAX - container->count)
        return broken(pickle, "a container has too many items");
    size_t needed = container->count + count;
    if (needed > container->capacity) {
        size_t capacity = container->capacity ? (size_t)container->capacity * 2 : needed;
        if (capacity < needed)
            capacity = needed;
        struct pickle_value **items = realloc(container->items, capacity * sizeof(void *));
        if (!items)
            return no_memory(pickle);
        container->items = items;
        container->capacity = (uint32_t)capacity;
    }
    if (count)
        memcpy(container->items + container->count, values, count * sizeof(void *));
    container->count = (uint32_t)needed;
    return PF_OK;
}

/* --- opcodes; each function serves the opcodes named above it --- */

/* NONE NEWTRUE NEWFALSE EMPTY_LIST EMPTY_DICT EMPTY_TUPLE EMPTY_SET */
static enum pf_status op_constant(struct pickle *pickle, unsigned char op)
{
    struct pickle_value *value;
    enum pickle_kind kind = PICKLE_NONE;
    switch (op) {
    case 0x88:
    case 0x89:
        kind = PICKLE_BOOL;
        break;
    case ']':
        kind = PICKLE_LIST;
        break;
    case '}':
        kind = PICKLE_DICT;
        break;
    case ')':
        kind = PICKLE_TUPLE;
        break;
    case 0x8f:
        kind = PICKLE_SET;
        break;
    default:
        break;
    }
    PF_TRY(push_new(pickle, kind, &value));
    value->integer = op == 0x88;
    return PF_OK;
}

/* BININT BININT1 BININT2 */
static enum pf_status op_integer(struct pickle *pickle, unsigned char op)
{
    uint64_t number;
    struct pickle_value *value;
    PF_TRY(take_number(pickle, op == 'J' ? 4 : op == 'M' ? 2 : 1, &number));
    PF_TRY(push_new(pickle, PICKLE_INT, &value));
    value->integer = op == 'J' ? (int64_t)(int32_t)(uint32_t)number : (int64_t)number;
    return PF_OK;
}

/* LONG1 LONG4: two's complement of any length */
static enum pf_status op_long(struct pickle *pickle, unsigned char op)
{
    uint64_t size;
    const unsigned char *bytes;
    struct pickle_value *value;
    PF_TRY(take_number(pickle, op == 0x8b ? 4 : 1, &size));
    PF_TRY(take(pickle, (size_t)size, &bytes));
    PF_TRY(push_new(pickle, size > 8 ? PICKLE_BIG_INT : PICKLE_INT, &value));
    if (size > 8)
        return PF_OK;
    uint64_t number = size > 0 && bytes[size - 1] >= 0x80 ? UINT64_MAX : 0;
    for (size_t i = (size_t)size; i-- > 0;)
        number = number << 8 | bytes[i];
    value->integer = (int64_t)number;
    return PF_OK;
}

/* BINFLOAT */
static enum pf_status op_float(struct pickle *pickle, unsigned char op)
{
    const unsigned char *bytes;
    struct pickle_value *value;
    (void)op;
    PF_TRY(take(pickle, 8, &bytes));
    return push_new(pickle, PICKLE_FLOAT, &value);
}

/* BINUNICODE SHORT_BINUNICODE BINUNICODE8 BINSTRING SHORT_BINSTRING BINBYTES SHORT_BINBYTES
 * BINBYTES8 */
static enum pf_status op_text(struct pickle *pickle, unsigned char op)
{
    int size_bytes = op == 'X' || op == 'T' || op == 'B' ? 4 : op == 0x8d || op == 0x8e ? 8 : 1;
    int is_bytes = op == 'B' || op == 'C' || op == 0x8e;
    uint64_t size;
    const unsigned char *bytes;
    struct pickle_value *value;
    PF_TRY(take_number(pickle, size_bytes, &size));
    PF_TRY(take(pickle, (size_t)size, &bytes));
    PF_TRY(push_new(pickle, is_bytes ? PICKLE_BYTES : PICKLE_TEXT, &value));
    value->text.bytes = (const char *)bytes;
    value->text.size = (size_t)size;
    return PF_OK;
}

/* MARK POP POP_MARK DUP */
static enum pf_status op_stack(struct pickle *pickle, unsigned char op)
{
    struct pickle_value *value, **values;
    size_t count;
    if (op == '(') {
        if (pickle->mark_count >= PICKLE_MARKS_MAX)
            return broken(pickle, "nested too deeply");
        pickle->marks[pickle->mark_count++] = pickle->stack_count;
        return PF_OK;
    }
    if (op == '1')
        return pop_to_mark(pickle, &values, &count);
    if (op == '2') {
        PF_TRY(top(pickle, &value));
        return push(pickle, value);
    }
    return pop(pickle, &value);
}

/* TUPLE TUPLE1 TUPLE2 TUPLE3 LIST FROZENSET */
static enum pf_status op_sequence(struct pickle *pickle, unsigned char op)
{
    struct pickle_value *value, **values = NULL;
    size_t count = 0;
    if (op >= 0x85 && op <= 0x87) {
        count = (size_t)op - 0x84;
        if (pickle->stack_count - stack_floor(pickle) < count)
            return broken(pickle, "nothing on the stack");
        pickle->stack_count -= count;
        values = pickle->stack + pickle->stack_count;
    } else {
        PF_TRY(pop_to_mark(pickle, &values, &count));
    }
    enum pickle_kind kind = op == 'l' ? PICKLE_LIST : op == 0x91 ? PICKLE_SET : PICKLE_TUPLE;
    PF_TRY(value_create(pickle, kind, &value));
    if (value->kind != PICKLE_SET)
        PF_TRY(add_items(pickle, value, values, count));
    return push(pickle, value);
}

/* APPEND APPENDS ADDITEMS */
static enum pf_status op_append(struct pickle *pickle, unsigned char op)
{
    struct pickle_value *one, *container, **values = &one;
    size_t count = 1;
    if (op == 'a')
        PF_TRY(pop(pickle, &one));
    else
        PF_TRY(pop_to_mark(pickle, &values, &count));
    PF_TRY(top(pickle, &container));
    if (op == 0x90 ? container->kind == PICKLE_SET : container->kind == PICKLE_LIST)
        return op == 0x90 ? PF_OK : add_items(pickle, container, values, count);
    if (container->kind == PICKLE_OBJECT)
        return PF_OK; /* a list subclass: its items are not ours to know */
    return broken(pickle, "items are added to something else than a list or set");
}

/* DICT SETITEM SETITEMS */
static enum pf_status op_set_items(struct pickle *pickle, unsigned char op)
{
    struct pickle_value *pair[2], *container, **values = pair;
    size_t count = 2;
    if (op == 's') {
        PF_TRY(pop(pickle, &pair[1]));
        PF_TRY(pop(pickle, &pair[0]));
    } else {
        PF_TRY(pop_to_mark(pickle, &values, &count));
    }
    if (count % 2 != 0)
        return broken(pickle, "a key without a value");
    if (op == 'd') {
        PF_TRY(value_create(pickle, PICKLE_DICT, &container));
        PF_TRY(add_items(pickle, container, values, count));
        return push(pickle, container);
    }
    PF_TRY(top(pickle, &container));
    if (container->kind != PICKLE_DICT && container->kind != PICKLE_OBJECT)
        return broken(pickle, "items are set in something else than a dict");
    return add_items(pickle, container, values, count);
}

/* GLOBAL STACK_GLOBAL */
static enum pf_status op_class(struct pickle *pickle, unsigned char op)
{
    struct pickle_value *value, *module, *name;
    if (op == 'c') {
        PF_TRY(push_new(pickle, PICKLE_CLASS, &value));
        PF_TRY(take_line(pickle, &value->class.module, &value->class.module_size));
        return take_line(pickle, &value->class.name, &value->class.name_size);
    }
    PF_TRY(pop(pickle, &name));
    PF_TRY(pop(pickle, &module));
    if (name->kind != PICKLE_TEXT || module->kind != PICKLE_TEXT ||
        name->text.size > CLASS_NAME_MAX || module->text.size > CLASS_NAME_MAX)
        return broken(pickle, "a class is not named by two texts");
    PF_TRY(push_new(pickle, PICKLE_CLASS, &value));
    value->class.module = module->text.bytes;
    value->class.module_size = (uint32_t)module->text.size;
    value->class.name = name->text.bytes;
    value->class.name_size = (uint32_t)name->text.size;
    return PF_OK;
}

/* REDUCE NEWOBJ NEWOBJ_EX */
static enum pf_status op_object(struct pickle *pickle, unsigned char op)
{
    struct pickle_value *callable, *arguments, *keywords, *value;
    if (op == 0x92)
        PF_TRY(pop(pickle, &keywords));
    PF_TRY(pop(pickle, &arguments));
    PF_TRY(pop(pickle, &callable));
    if (callable->kind != PICKLE_CLASS && callable->kind != PICKLE_OBJECT)
        return broken(pickle, "something that is no class is called");
    if (arguments->kind != PICKLE_TUPLE)
        return broken(pickle, "arguments that are no tuple");
    PF_TRY(push_new(pickle, PICKLE_OBJECT, &value));
    value->object.callable = callable;
    value->object.arguments = arguments;
    return PF_OK;
}

/* BUILD: sets attributes, which no reader here asks for (OrderedDict's _metadata, tensors' hooks)
 */
static enum pf_status op_build(struct pickle *pickle, unsigned char op)
{
    struct pickle_value *state, *value;
    (void)op;
    PF_TRY(pop(pickle, &state));
    PF_TRY(top(pickle, &value));
    if (value->kind != PICKLE_OBJECT)
        return broken(pickle, "attributes are set on something that is no object");
    return PF_OK;
}

/* BINPERSID */
static enum pf_status op_persistent(struct pickle *pickle, unsigned char op)
{
    struct pickle_value *id = NULL, *value;
    (void)op;
    PF_TRY(pop(pickle, &id));
    PF_TRY(push_new(pickle, PICKLE_PERSISTENT, &value));
    value->id = id;
    return PF_OK;
}

/* BINGET LONG_BINGET */
static enum pf_status op_memo_get(struct pickle *pickle, unsigned char op)
{
    uint64_t index;
    PF_TRY(take_number(pickle, op == 'h' ? 1 : 4, &index));
    if (index >= pickle->memo_capacity || !pickle->memo[index])
        return broken(pickle, "nothing is remembered under that number");
    return push(pickle, pickle->memo[index]);
}

/* BINPUT LONG_BINPUT MEMOIZE */
static enum pf_status op_memo_put(struct pickle *pickle, unsigned char op)
{
    uint64_t index = pickle->memo_next;
    struct pickle_value *value;
    if (op != 0x94)
        PF_TRY(take_number(pickle, op == 'q' ? 1 : 4, &index));
    PF_TRY(top(pickle, &value));
    if (index >= PICKLE_VALUES_MAX)
        return broken(pickle, "a memo number beyond the bound");
    if (index >= pickle->memo_capacity) {
        size_t capacity = pickle->memo_capacity ? pickle->memo_capacity * 2 : 1024;
        while (capacity <= index)
            capacity *= 2;
        struct pickle_value **memo = realloc(pickle->memo, capacity * sizeof *memo);
        if (!memo)
            return no_memory(pickle);
        memset(memo + pickle->memo_capacity, 0, (capacity - pickle->memo_capacity) * sizeof *memo);
        pickle->memo = memo;
        pickle->memo_capacity = capacity;
    }
    if (!pickle->memo[index])
        pickle->memo_next++; /* MEMOIZE numbers by the memo's size */
    pickle->memo[index] = value;
    return PF_OK;
}

/* PROTO FRAME */
static enum pf_status op_frame(struct pickle *pickle, unsigned char op)
{
    uint64_t number;
    PF_TRY(take_number(pickle, op == 0x80 ? 1 : 8, &number));
    if (op == 0x80 && (number < PROTOCOL_MIN || number > PROTOCOL_MAX))
        return pf_fail(pickle->err, PF_UNSUPPORTED, "pickle protocol %llu, %d to %d are read",
            (unsigned long long)number, PROTOCOL_MIN, PROTOCOL_MAX);
    if (op == 0x95 && number > pickle->size - pickle->at)
        return broken(pickle, "a frame longer than the pickle");
    return PF_OK;
}

/* STOP */
static enum pf_status op_stop(struct pickle *pickle, unsigned char op)
{
    (void)op;
    PF_TRY(pop(pickle, &pickle->root));
    if (pickle->stack_count != 0 || pickle->mark_count != 0)
        return broken(pickle, "values are left over at the end");
    return PF_OK;
}

static enum pf_status (*const op_table[256])(struct pickle *pickle, unsigned char op) = {
    ['N'] = op_constant,
    [0x88] = op_constant,
    [0x89] = op_constant,
    [']'] = op_constant,
    ['}'] = op_constant,
    [')'] = op_constant,
    [0x8f] = op_constant,
    ['J'] = op_integer,
    ['K'] = op_integer,
    ['M'] = op_integer,
    [0x8a] = op_long,
    [0x8b] = op_long,
    ['G'] = op_float,
    ['X'] = op_text,
    [0x8c] = op_text,
    [0x8d] = op_text,
    ['T'] = op_text,
    ['U'] = op_text,
    ['B'] = op_text,
    ['C'] = op_text,
    [0x8e] = op_text,
    ['('] = op_stack,
    ['0'] = op_stack,
    ['1'] = op_stack,
    ['2'] = op_stack,
    ['t'] = op_sequence,
    [0x85] = op_sequence,
    [0x86] = op_sequence,
    [0x87] = op_sequence,
    ['l'] = op_sequence,
    [0x91] = op_sequence,
    ['a'] = op_append,
    ['e'] = op_append,
    [0x90] = op_append,
    ['d'] = op_set_items,
    ['s'] = op_set_items,
    ['u'] = op_set_items,
    ['c'] = op_class,
    [0x93] = op_class,
    ['R'] = op_object,
    [0x81] = op_object,
    [0x92] = op_object,
    ['b'] = op_build,
    ['Q'] = op_persistent,
    ['h'] = op_memo_get,
    ['j'] = op_memo_get,
    ['q'] = op_memo_put,
    ['r'] = op_memo_put,
    [0x94] = op_memo_put,
    [0x80] = op_frame,
    [0x95] = op_frame,
    ['.'] = op_stop,
};

static enum pf_status run(struct pickle *pickle)
{
    for (size_t ops = 0; !pickle->root; ops++) {
        pickle->op_at = pickle->at;
        if (pickle->at >= pickle->size)
            return pf_fail(
                pickle->err, PF_CORRUPT, "the pickle of %zu bytes has no end", pickle->size);
        if (ops >= PICKLE_OPS_MAX)
            return broken(pickle, "too many opcodes");
        unsigned char op = pickle->bytes[pickle->at++];
        if (!op_table[op])
            return pf_fail(pickle->err, PF_UNSUPPORTED, "pickle, opcode 0x%02x at %zu is not read",
                op, pickle->op_at);
        PF_TRY(op_table[op](pickle, op));
    }
    return PF_OK;
}

enum pf_status pickle_read(
    struct pickle **ret_pickle, const unsigned char *bytes, size_t size, struct pf_error *err)
{
    if (size > PICKLE_SIZE_MAX)
        return pf_fail(err, PF_UNSUPPORTED, "a pickle of %zu bytes, at most %d are read", size,
            PICKLE_SIZE_MAX);
    struct pickle *pickle = calloc(1, sizeof *pickle);
    if (!pickle)
        return pf_fail(err, PF_NOMEM, "no memory for a pickle");
    pickle->bytes = bytes;
    pickle->size = size;
    pickle->err = err;
    pickle->marks = malloc(PICKLE_MARKS_MAX * sizeof *pickle->marks);
    pickle->stack = malloc(STACK_FIRST * sizeof *pickle->stack);
    pickle->stack_capacity = STACK_FIRST;
    enum pf_status status = pickle->marks && pickle->stack ? run(pickle) : no_memory(pickle);
    if (status != PF_OK) {
        pickle_destroy(pickle);
        return status;
    }
    pickle->err = NULL;
    *ret_pickle = pickle;
    return PF_OK;
}

void pickle_destroy(struct pickle *pickle)
{
    if (!pickle)
        return;
    while (pickle->blocks) {
        struct value_block *block = pickle->blocks;
        pickle->blocks = block->next;
        for (size_t i = 0; i < block->count; i++)
            free(block->values[i].items);
        free(block);
    }
    free(pickle->stack);
    free(pickle->marks);
    free(pickle->memo);
    free(pickle);
}

const struct pickle_value *pickle_root(const struct pickle *pickle)
{
    return pickle->root;
}

int pickle_is_class(const struct pickle_value *value, const char *module, const char *name)
{
    return value->kind == PICKLE_CLASS && value->class.module_size == strlen(module) &&
           value->class.name_size == strlen(name) &&
           memcmp(value->class.module, module, value->class.module_size) == 0 &&
           memcmp(value->class.name, name, value->class.name_size) == 0;
}

int pickle_is_text(const struct pickle_value *value, const char *text)
{
    return value->kind == PICKLE_TEXT && value->text.size == strlen(text) &&
           memcmp(value->text.bytes, text, value->text.size) == 0;
}
