/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/curate/phrases.h"

#include <ctype.h>
#include <string.h>

#include "base/cleanup.h"

/* A template is read from left to right; each bracket is one digit of the index, the first the
 * least, in base of its number of alternatives. Brackets don't nest. A word class stands for its
 * bracket: the functions below read a template with its classes unfolded. */

static size_t count_alternatives(const char *bracket)
{
    size_t count = 1;
    for (; *bracket && *bracket != ']'; bracket++)
        count += *bracket == '|';
    return count;
}

void phrase_unfold(const char *template, struct buffer *out)
{
    buffer_put_text(out, ""); /* ends with a zero even when nothing comes */
    for (; *template; template ++) {
        const char *class = *template == '$' ? phrases_class(template[1]) : NULL;
        if (class) {
            buffer_put_text(out, class);
            template ++;
        } else {
            buffer_put(out, template, 1);
        }
    }
}

size_t phrase_count(const char *template)
{
    size_t count = 1;
    for (const char *c = template; *c; c++)
        if (*c == '[')
            count *= count_alternatives(c);
    return count;
}

static void put_plain(const char *text, size_t length, const char *object, struct buffer *out)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '$' && i + 1 < length && text[i + 1] == 'O') {
            buffer_put_text(out, object ? object : "");
            i++;
        } else {
            buffer_put(out, text + i, 1);
        }
    }
}

void phrase_expand(const char *template, size_t index, const char *object, struct buffer *out)
{
    while (*template) {
        size_t plain = strcspn(template, "[");
        put_plain(template, plain, object, out);
        template += plain;
        if (!*template)
            break;
        size_t count = count_alternatives(template), chosen = index % count;
        index /= count;
        const char *at = template + 1;
        while (chosen--)
            at += strcspn(at, "|]") + 1;
        put_plain(at, strcspn(at, "|]"), object, out);
        template += strcspn(template, "]") + 1;
    }
}

static void put_random(
    const char *const *templates, const char *object, struct rng *rng, struct buffer *out)
{
    int count = 0;
    while (templates[count])
        count++;
    AUTO_BUFFER struct buffer template = BUFFER_INIT;
    phrase_unfold(templates[rng_below(rng, count)], &template);
    if (template.data)
        phrase_expand(
            template.data, (size_t)rng_below(rng, (int)phrase_count(template.data)), object, out);
}

/* An empty alternative leaves two spaces in a row, or one at an end or before a mark. */
static void tidy_spaces(struct buffer *out)
{
    size_t to = 0;
    for (size_t i = 0; i < out->size; i++) {
        int is_mark = out->data[i] && strchr(",.?!", out->data[i]);
        if (is_mark && to && out->data[to - 1] == ' ')
            to--;
        if (out->data[i] != ' ' || (to && out->data[to - 1] != ' '))
            out->data[to++] = out->data[i];
    }
    while (to && out->data[to - 1] == ' ')
        to--;
    out->size = to;
    if (out->data)
        out->data[to] = '\0';
}

/* What says nothing about the task. */
static const char *const greetings[] = {"hi, ", "hello, ", "hello there, ", "dear all, ", "ok, ",
    "so, ", "listen: ", "hey ", "quick request: ", "this is from my holiday. ",
    "for my website: ", "next one: ", "here is my garden. ",
    "this one is for a calendar: ", "a photo of our town. ", "sorry to bother you, ",
    "taken last year in italy. ", "first, thanks for the help. ",
    "my boss needs this today: ", "we found this in an album. "};
static const char *const farewells[] = {" thanks", ", thanks", ", thank you",
    " thank you very much", ", leave the rest alone", ", nothing else",
    " and keep everything else as it is", ". it is for my mother", ". i will print it tomorrow",
    " as well as possible", " if you can", ", it is urgent", " for a book cover",
    " but do not change anything else", ". many thanks", " before friday", ", the rest is fine",
    " and make it look natural", " without a trace", ". the result should look real", " :)", "!",
    " asap", ". i like the place a lot"};

/* Two neighbouring letters trade places, or one is left out or comes twice. */
static void mistype(struct rng *rng, struct buffer *out)
{
    size_t at = (size_t)rng_below(rng, (int)out->size);
    int kind = rng_below(rng, 3);
    if (at + 1 >= out->size || !isalpha((unsigned char)out->data[at]) ||
        !isalpha((unsigned char)out->data[at + 1]))
        return;
    char letter = (char)out->data[at];
    if (kind == 0) {
        out->data[at] = out->data[at + 1];
        out->data[at + 1] = letter;
    } else if (kind == 1) {
        memmove(out->data + at, out->data + at + 1, out->size - at); /* with the final zero */
        out->size--;
    } else {
        out->data[at + 1] = letter;
    }
}

/* As typed in a hurry, or neatly: the first letter's case, a full stop. Questions keep their mark.
 */
static void vary_typing(struct rng *rng, struct buffer *out)
{
    if (out->size == 0)
        return;
    if (rng_chance(rng, 0.1))
        mistype(rng, out);
    double style = rng_unit(rng);
    char last = out->data[out->size - 1];
    if (style < 0.45)
        out->data[0] = (char)toupper((unsigned char)out->data[0]);
    if (style < 0.3 && last != '?' && last != '.' && last != '!')
        buffer_put_text(out, ".");
    if (style > 0.97)
        for (size_t i = 0; i < out->size; i++)
            out->data[i] = (char)toupper((unsigned char)out->data[i]);
}

enum pf_status phrases_write(const enum task *tasks, int count, const char *object,
    enum phrase_set set, struct rng *rng, struct buffer *out, struct pf_error *err)
{
    static const char *const openings[] = {"", "", "", "please ", "can you ", "i need you to "};
    static const char *const joints[] = {" and ", ", then ", " and also ", " and then "};
    if (rng_chance(rng, 0.12))
        buffer_put_text(out, greetings[rng_below(rng, COUNT_OF(greetings))]);
    if (count == 1) {
        int is_named = tasks[0] == TASK_REMOVE && object;
        put_random(phrases_templates(tasks[0], set, is_named ? PHRASE_NAMED : PHRASE_WHOLE), object,
            rng, out);
    } else {
        const char *opening = openings[rng_below(rng, 6)];
        buffer_put_text(out, opening);
        for (int i = 0; i < count; i++) {
            if (i)
                buffer_put_text(out, i < count - 1 ? ", " : joints[rng_below(rng, 4)]);
            if (tasks[i] == TASK_REMOVE && object)
                buffer_put_format(
                    out, "%s the %s", rng_chance(rng, 0.7) ? "remove" : "erase", object);
            else
                put_random(phrases_templates(tasks[i], set, PHRASE_CLAUSE), object, rng, out);
        }
        if (!strcmp(opening, "can you "))
            buffer_put_text(out, "?");
    }
    if (rng_chance(rng, 0.15) && out->size && out->data[out->size - 1] != '?')
        buffer_put_text(out, farewells[rng_below(rng, COUNT_OF(farewells))]);
    tidy_spaces(out);
    vary_typing(rng, out);
    return buffer_status(out, err);
}
