/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/curate/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "tools/curate/workers.h"

const char curate_usage[] =
    "usage: promptfix-curate --photos DIR --out DIR --count N [OPTIONS]\n"
    "       promptfix-curate --pairs DIR --out DIR [OPTIONS]\n"
    "\n"
    "Turns good photos into pairs to train with: degraded input, clean target, instruction.\n"
    "\n"
    "  --photos DIR      a folder of photos, with all below it; may be given many times\n"
    "  --list FILE       rules that choose among them (tools/curate/photos.txt)\n"
    "  --split S         all (default), train, or valid: a twentieth of the photos, by name\n"
    "  --pairs DIR       packs pairs that are there already: DIR/input, target, instruction\n"
    "                    (tools/curate/import.h); only --out, --shard-size, --format, --quality,\n"
    "                    --jobs and --sheet go with it\n"
    "  --stamps DIR      cut-outs with alpha and descriptions, to be pasted and removed\n"
    "  --objects DIR     photos with labelme's polygons, to cut objects from\n"
    "  --out DIR         where the shards go\n"
    "  --cache DIR       where reduced photos are kept (default: OUT/.cache)\n"
    "  --count N         pairs to make\n"
    "  --seed S          same seed, same pairs (default 1)\n"
    "  --size N          pixels a side, 32 to 2048 (default 256)\n"
    "  --shard-size N    pairs in a tar file (default 1000)\n"
    "  --format F        png, jpeg or ppm (default png)\n"
    "  --quality Q       of jpegs, 1 to 100 (default 98)\n"
    "  --tasks T:W,…     tasks and how often (default: the paper's shares)\n"
    "  --combine P       share with two or three degradations (default 0.2)\n"
    "  --idle P          share with nothing to do (default 0.05)\n"
    "  --wrong P         share with words for another task (default 0.05)\n"
    "  --paraphrases S   train (default) or held-out\n"
    "  --thesaurus FILE  words of the instructions change places with synonyms, MyThes' format\n"
    "  --jobs N          processes (default 1); the result doesn't depend on it\n"
    "  --sheet FILE      a contact sheet of the first pairs, .png or .ppm\n"
    "  --filter-report   tells for every picture why it was taken or left out\n"
    "  --help            prints this\n"
    "\n"
    "Exit status: 0 done, 1 it failed, 2 wrong usage.\n";

enum option_id {
    OPTION_PHOTOS = 256,
    OPTION_LIST,
    OPTION_SPLIT,
    OPTION_PAIRS,
    OPTION_STAMPS,
    OPTION_OBJECTS,
    OPTION_OUT,
    OPTION_CACHE,
    OPTION_COUNT,
    OPTION_SEED,
    OPTION_SIZE,
    OPTION_SHARD_SIZE,
    OPTION_FORMAT,
    OPTION_QUALITY,
    OPTION_TASKS,
    OPTION_COMBINE,
    OPTION_IDLE,
    OPTION_WRONG,
    OPTION_PARAPHRASES,
    OPTION_THESAURUS,
    OPTION_JOBS,
    OPTION_SHEET,
    OPTION_REPORT,
    OPTION_HELP,
};

static const struct option options[] = {
    {"photos", required_argument, NULL, OPTION_PHOTOS},
    {"list", required_argument, NULL, OPTION_LIST},
    {"split", required_argument, NULL, OPTION_SPLIT},
    {"pairs", required_argument, NULL, OPTION_PAIRS},
    {"stamps", required_argument, NULL, OPTION_STAMPS},
    {"objects", required_argument, NULL, OPTION_OBJECTS},
    {"out", required_argument, NULL, OPTION_OUT},
    {"cache", required_argument, NULL, OPTION_CACHE},
    {"count", required_argument, NULL, OPTION_COUNT},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"size", required_argument, NULL, OPTION_SIZE},
    {"shard-size", required_argument, NULL, OPTION_SHARD_SIZE},
    {"format", required_argument, NULL, OPTION_FORMAT},
    {"quality", required_argument, NULL, OPTION_QUALITY},
    {"tasks", required_argument, NULL, OPTION_TASKS},
    {"combine", required_argument, NULL, OPTION_COMBINE},
    {"idle", required_argument, NULL, OPTION_IDLE},
    {"wrong", required_argument, NULL, OPTION_WRONG},
    {"paraphrases", required_argument, NULL, OPTION_PARAPHRASES},
    {"thesaurus", required_argument, NULL, OPTION_THESAURUS},
    {"jobs", required_argument, NULL, OPTION_JOBS},
    {"sheet", required_argument, NULL, OPTION_SHEET},
    {"filter-report", no_argument, NULL, OPTION_REPORT},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static enum pf_status read_integer(const char *name, const char *text, long long low,
    long long high, long long *ret_value, struct pf_error *err)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end || errno || value < low || value > high)
        return pf_fail(err, PF_INVALID, "--%s: '%.80s' is not an integer from %lld to %lld", name,
            text, low, high);
    *ret_value = value;
    return PF_OK;
}

static enum pf_status read_share(
    const char *name, const char *text, double high, double *ret_value, struct pf_error *err)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !(value >= 0.0 && value <= high))
        return pf_fail(
            err, PF_INVALID, "--%s: '%.80s' is not a number from 0 to %g", name, text, high);
    *ret_value = value;
    return PF_OK;
}

/* "all" is the default. */
static enum pf_status read_tasks(const char *text, double *shares, struct pf_error *err)
{
    double sum = 0.0;
    if (!strcmp(text, "all"))
        return PF_OK;
    PF_TRY(tasks_read_weights("tasks", text, 1e6, shares, err));
    for (int i = 0; i < TASK_COUNT; i++)
        sum += shares[i];
    return sum > 0.0 ? PF_OK : pf_fail(err, PF_INVALID, "--tasks: no task with a weight");
}

static enum pf_status read_choice(const char *name, const char *text, const char *const *choices,
    int *ret_choice, struct pf_error *err)
{
    for (int i = 0; choices[i]; i++)
        if (!strcmp(choices[i], text)) {
            *ret_choice = i;
            return PF_OK;
        }
    return pf_fail(err, PF_INVALID, "--%s: '%.80s' is none of its values", name, text);
}

static enum pf_status read_number_option(
    struct curate_options *to, int id, const char *name, const char *text, struct pf_error *err)
{
    static const struct {
        int id;
        long long low, high;
    } ranges[] = {{OPTION_COUNT, 1, 100000000}, {OPTION_SEED, 0, INT64_MAX},
        {OPTION_SIZE, 32, RECIPE_SIDE_MAX}, {OPTION_SHARD_SIZE, 1, 1000000},
        {OPTION_QUALITY, 1, 100}, {OPTION_JOBS, 1, WORKERS_MAX}};
    long long value = 0;
    for (size_t i = 0; i < COUNT_OF(ranges); i++)
        if (ranges[i].id == id)
            PF_TRY(read_integer(name, text, ranges[i].low, ranges[i].high, &value, err));
    switch (id) {
    case OPTION_COUNT:
        to->count = (size_t)value;
        break;
    case OPTION_SEED:
        to->recipe.seed = (uint64_t)value;
        break;
    case OPTION_SIZE:
        to->recipe.side = (int)value;
        break;
    case OPTION_SHARD_SIZE:
        to->per_shard = (size_t)value;
        break;
    case OPTION_QUALITY:
        to->recipe.quality = (int)value;
        break;
    default:
        to->jobs = (int)value;
    }
    return PF_OK;
}

static enum pf_status read_word_option(
    struct curate_options *to, int id, char *text, struct pf_error *err)
{
    static const char *const splits[] = {"all", "train", "valid", NULL};
    static const char *const sets[] = {"train", "held-out", NULL};
    static const char *const formats[] = {"png", "jpeg", "ppm", NULL};
    int choice = 0;
    switch (id) {
    case OPTION_SPLIT:
        PF_TRY(read_choice("split", text, splits, &choice, err));
        to->split = (enum album_split)choice;
        return PF_OK;
    case OPTION_PARAPHRASES:
        PF_TRY(read_choice("paraphrases", text, sets, &choice, err));
        to->recipe.phrases = (enum phrase_set)choice;
        return PF_OK;
    case OPTION_FORMAT:
        PF_TRY(read_choice("format", text, formats, &choice, err));
        to->recipe.format = (enum picture_format)choice;
        return PF_OK;
    case OPTION_TASKS:
        return read_tasks(text, to->recipe.shares, err);
    case OPTION_COMBINE:
        return read_share("combine", text, 1.0, &to->recipe.combine, err);
    case OPTION_IDLE:
        return read_share("idle", text, 1.0, &to->recipe.idle, err);
    default:
        return read_share("wrong", text, 1.0, &to->recipe.wrong, err);
    }
}

static enum pf_status read_option(
    struct curate_options *to, int id, const char *name, char *text, struct pf_error *err)
{
    switch (id) {
    case OPTION_PHOTOS:
        if (to->folder_count == CURATE_FOLDERS_MAX)
            return pf_fail(err, PF_INVALID, "--photos: more than %d folders", CURATE_FOLDERS_MAX);
        to->folders[to->folder_count++] = text;
        return PF_OK;
    case OPTION_LIST:
        to->list = text;
        return PF_OK;
    case OPTION_PAIRS:
        to->pairs = text;
        return PF_OK;
    case OPTION_STAMPS:
        to->stamps = text;
        return PF_OK;
    case OPTION_THESAURUS:
        to->thesaurus = text;
        return PF_OK;
    case OPTION_OBJECTS:
        to->objects = text;
        return PF_OK;
    case OPTION_OUT:
        to->out = text;
        return PF_OK;
    case OPTION_CACHE:
        to->cache = text;
        return PF_OK;
    case OPTION_SHEET:
        to->sheet = text;
        return PF_OK;
    case OPTION_REPORT:
        to->reports = 1;
        return PF_OK;
    case OPTION_COUNT:
    case OPTION_SEED:
    case OPTION_SIZE:
    case OPTION_SHARD_SIZE:
    case OPTION_QUALITY:
    case OPTION_JOBS:
        return read_number_option(to, id, name, text, err);
    default:
        return read_word_option(to, id, text, err);
    }
}

/* What goes together. */
static enum pf_status check(const struct curate_options *options_read, struct pf_error *err)
{
    if (options_read->pairs && (options_read->folder_count || options_read->count))
        return pf_fail(err, PF_INVALID, "--pairs goes with neither --photos nor --count");
    if (options_read->pairs && options_read->out)
        return PF_OK;
    if (!options_read->folder_count || !options_read->out || !options_read->count)
        return pf_fail(err, PF_INVALID, "--photos, --out and --count are needed");
    if (options_read->recipe.idle + options_read->recipe.wrong > 1.0)
        return pf_fail(err, PF_INVALID, "--idle and --wrong together are over 1");
    double others = 0.0;
    for (int i = 0; i < TASK_COUNT; i++)
        others += i == TASK_REMOVE ? 0.0 : options_read->recipe.shares[i];
    if (!options_read->stamps && !options_read->objects && others <= 0.0)
        return pf_fail(err, PF_INVALID, "removing objects needs --stamps or --objects");
    return PF_OK;
}

enum pf_status curate_options_read(
    struct curate_options *ret_options, int argc, char **argv, int *ret_help, struct pf_error *err)
{
    *ret_options = (struct curate_options){
        .per_shard = 1000,
        .jobs = 1,
        .recipe = {.seed = 1,
            .side = 256,
            .shares = {[TASK_COLORIZE] = 29.3,
                [TASK_LOWLIGHT] = 20.7,
                [TASK_DEWATERMARK] = 12.4,
                [TASK_REMOVE] = 11.9,
                [TASK_DESNOW] = 9.7,
                [TASK_DEHAZE] = 8.9,
                [TASK_DEBLUR] = 7.1},
            .combine = 0.2,
            .idle = 0.05,
            .wrong = 0.05,
            .quality = 98},
    };
    *ret_help = 0;
    opterr = 0;
    for (int id, index = 0; (id = getopt_long(argc, argv, "", options, &index)) != -1;) {
        if (id == '?')
            return pf_fail(
                err, PF_INVALID, "'%s' is no option, or lacks its value", argv[optind - 1]);
        if (id == OPTION_HELP) {
            *ret_help = 1;
            return PF_OK;
        }
        PF_TRY(read_option(ret_options, id, options[index].name, optarg, err));
    }
    if (optind < argc)
        return pf_fail(err, PF_INVALID, "'%s' is no option", argv[optind]);
    return check(ret_options, err);
}
