/* SPDX-License-Identifier: Apache-2.0 */
/* embed_web OUT.c FILE…: writes the page's files as one C source that defines what web/web.h
 * declares. Runs at build time.
 *
 * All files share one version, a hash of their names and bytes. It stands in their URLs in place of
 * "@VERSION@", so a browser may keep them for ever: changed
 * files have other URLs. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILES_MAX = 64, FILE_BYTES_MAX = 1 << 20, VERSION_SIZE = 17 };

struct file {
    const char *name;
    const char *type;
    unsigned char *bytes;
    size_t size;
};

static void die(const char *path, const char *reason)
{
    fprintf(stderr, "embed_web: %s: %s\n", path, reason);
    exit(1);
}

static const char *find_type(const char *name)
{
    static const char *const types[][2] = {
        {".html", "text/html; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".svg", "image/svg+xml"},
        {".jpg", "image/jpeg"},
    };
    const char *suffix = strrchr(name, '.');
    for (size_t i = 0; suffix && i < sizeof types / sizeof *types; i++)
        if (strcmp(suffix, types[i][0]) == 0)
            return types[i][1];
    die(name, "no media type for this suffix");
    return NULL;
}

static void read_file(struct file *file, const char *path)
{
    const char *slash = strrchr(path, '/');
    file->name = slash ? slash + 1 : path;
    file->type = find_type(file->name);
    file->bytes = malloc(FILE_BYTES_MAX);
    FILE *in = fopen(path, "rb");
    if (!file->bytes || !in)
        die(path, "can't be read");
    file->size = fread(file->bytes, 1, FILE_BYTES_MAX, in);
    if (ferror(in) || file->size == FILE_BYTES_MAX)
        die(path, "can't be read, or is too large");
    fclose(in);
}

/* FNV-1a, 64 bits: tells versions apart, protects nothing. */
static uint64_t hash(uint64_t state, const void *bytes, size_t count)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < count; i++)
        state = (state ^ at[i]) * UINT64_C(0x100000001b3);
    return state;
}

/* Every "@VERSION@" becomes the version. */
static void set_version(struct file *file, const char *version)
{
    static const char mark[] = "@VERSION@";
    const size_t mark_size = sizeof mark - 1, version_size = strlen(version);
    for (size_t i = 0; i + mark_size <= file->size; i++) {
        if (memcmp(file->bytes + i, mark, mark_size) != 0)
            continue;
        size_t rest = file->size - i - mark_size;
        if (file->size + version_size >= FILE_BYTES_MAX)
            die(file->name, "is too large");
        memmove(file->bytes + i + version_size, file->bytes + i + mark_size, rest);
        memcpy(file->bytes + i, version, version_size);
        file->size += version_size - mark_size;
    }
}

static void put_bytes(FILE *out, size_t index, const struct file *file)
{
    fprintf(out, "static const unsigned char bytes_%zu[] = {", index);
    for (size_t i = 0; i < file->size; i++)
        fprintf(out, "%s%d,", i % 24 == 0 ? "\n" : "", file->bytes[i]);
    fprintf(out, "0};\n");
}

static void write_source(FILE *out, const struct file *files, size_t count, const char *version)
{
    fprintf(out, "#include \"web/web.h\"\n");
    for (size_t i = 0; i < count; i++)
        put_bytes(out, i, &files[i]);
    fprintf(out, "const struct web_file web_files[] = {\n");
    for (size_t i = 0; i < count; i++)
        fprintf(out, "    {\"%s\", \"%s\", bytes_%zu, %zu},\n", files[i].name, files[i].type, i,
            files[i].size);
    fprintf(out, "};\nconst size_t web_file_count = %zu;\nconst char web_version[] = \"%s\";\n",
        count, version);
}

int main(int argc, char **argv)
{
    static struct file files[FILES_MAX];
    if (argc < 3 || argc - 2 > FILES_MAX)
        return fprintf(stderr, "usage: %s OUT.c FILE...\n", argv[0]), 2;
    size_t count = (size_t)argc - 2;
    uint64_t state = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < count; i++) {
        read_file(&files[i], argv[i + 2]);
        state = hash(state, files[i].name, strlen(files[i].name) + 1);
        state = hash(state, files[i].bytes, files[i].size);
    }
    char version[VERSION_SIZE];
    snprintf(version, sizeof version, "%016llx", (unsigned long long)state);
    for (size_t i = 0; i < count; i++)
        set_version(&files[i], version);
    FILE *out = fopen(argv[1], "w");
    if (!out)
        die(argv[1], "can't be written");
    write_source(out, files, count, version);
    if (ferror(out) | fclose(out))
        die(argv[1], "can't be written");
    return 0;
}
