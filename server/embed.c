/* SPDX-License-Identifier: Apache-2.0 */
/* embed NAME INPUT OUT.c OUT.h: writes a file's bytes as the C array NAME with NAME_size. Runs at
 * build time. */
#include <stdio.h>
#include <stdlib.h>

static FILE *open_file(const char *path, const char *mode)
{
    FILE *file = fopen(path, mode);
    if (!file) {
        perror(path);
        exit(1);
    }
    return file;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return fprintf(stderr, "usage: %s NAME INPUT OUT.c OUT.h\n", argv[0]), 2;
    FILE *in = open_file(argv[2], "rb");
    FILE *source = open_file(argv[3], "w");
    FILE *header = open_file(argv[4], "w");
    fprintf(header,
        "#include <stddef.h>\nextern const unsigned char %s[];\nextern const size_t %s_size;\n",
        argv[1], argv[1]);
    fprintf(source,
        "#include <stddef.h>\nextern const unsigned char %s[];\nextern const size_t %s_size;\n"
        "const unsigned char %s[] = {",
        argv[1], argv[1], argv[1]);
    size_t size = 0;
    for (int c; (c = fgetc(in)) != EOF; size++)
        fprintf(source, "%s%d,", size % 24 == 0 ? "\n" : "", c);
    fprintf(source, "0};\nconst size_t %s_size = %zu;\n", argv[1], size);
    int failed = ferror(in) | fclose(source) | fclose(header);
    fclose(in);
    return failed ? 1 : 0;
}
