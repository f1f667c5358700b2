/*
 * The reference: how fast a token signs when nothing stands in front of it. C_SignInit and C_Sign, over and over, in one thread.
 *
 *   loop MODULE TOKEN_LABEL KEY_LABEL rsa|ec
 *
 * stdin: the PIN, then a number of seconds for each run, one a line. stdout: one JSON object a line; the first says that it has logged in.
 * Whoever starts it holds the token's start lock until that line has come. It logs in once and never again (findings.md, SoftHSM).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef unsigned long CK_ULONG;
typedef CK_ULONG CK_RV;
typedef unsigned char CK_BYTE;

/* Places in CK_FUNCTION_LIST (PKCS#11 v2.40), and the constants needed of it. */
enum { INITIALIZE = 0, FINALIZE = 1, SLOT_LIST = 4, TOKEN_INFO = 6, OPEN_SESSION = 12, LOGIN = 18, FIND_INIT = 26, FIND = 27, FIND_FINAL = 28, SIGN_INIT = 42, SIGN = 43 };
enum { CKF_SERIAL_SESSION = 4, CKU_USER = 1, CKA_CLASS = 0, CKA_LABEL = 3, CKO_PRIVATE_KEY = 3, CKM_RSA_PKCS = 1, CKM_ECDSA = 0x1041 };
enum { TOKEN_INFO_BYTES = 512, LABEL_BYTES = 32, SIGNATURE_BYTES_MAX = 1024, SLOTS_MAX = 16 };

struct function_list {
    CK_BYTE major, minor;
    void *functions[68];
};
struct mechanism {
    CK_ULONG kind;
    void *parameter;
    CK_ULONG bytes;
};
struct attribute {
    CK_ULONG kind;
    void *value;
    CK_ULONG bytes;
};

/* DigestInfo of a SHA-256 digest (RFC 8017, 9.2), as every RSA PKCS#1 v1.5 signature of the daemon has it. */
static CK_BYTE digest_info[51] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};

static struct function_list *module;

#define CALL(index, types, ...) must(((CK_RV(*) types)module->functions[index])(__VA_ARGS__), #index)

static void must(CK_RV answer, const char *what)
{
    if (answer) {
        fprintf(stderr, "loop: %s answered 0x%lx\n", what, answer);
        exit(1);
    }
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static CK_ULONG slot_of(const char *label)
{
    CK_ULONG slots[SLOTS_MAX], count = SLOTS_MAX;
    CALL(SLOT_LIST, (CK_BYTE, CK_ULONG *, CK_ULONG *), 1, slots, &count);
    char padded[LABEL_BYTES + 1];
    snprintf(padded, sizeof padded, "%-32s", label);
    for (CK_ULONG i = 0; i < count; i++) {
        char info[TOKEN_INFO_BYTES]; /* CK_TOKEN_INFO, which begins with the label */
        CALL(TOKEN_INFO, (CK_ULONG, void *), slots[i], info);
        if (!memcmp(info, padded, LABEL_BYTES))
            return slots[i];
    }
    must(1, "no token of that label");
    return 0;
}

static CK_ULONG key_of(CK_ULONG session, char *label)
{
    CK_ULONG class = CKO_PRIVATE_KEY, key = 0, found = 0;
    struct attribute wanted[] = {{CKA_CLASS, &class, sizeof class}, {CKA_LABEL, label, strlen(label)}};
    CALL(FIND_INIT, (CK_ULONG, void *, CK_ULONG), session, wanted, 2);
    CALL(FIND, (CK_ULONG, CK_ULONG *, CK_ULONG, CK_ULONG *), session, &key, 1, &found);
    CALL(FIND_FINAL, (CK_ULONG), session);
    must(found != 1, "no key of that label");
    return key;
}

static int by_size(const void *left, const void *right)
{
    float difference = *(const float *)left - *(const float *)right;
    return (difference > 0) - (difference < 0);
}

static void run(CK_ULONG session, CK_ULONG key, int is_rsa, double seconds)
{
    static float took_ms[4000000];
    struct mechanism mechanism = {is_rsa ? CKM_RSA_PKCS : CKM_ECDSA, NULL, 0};
    CK_BYTE *data = is_rsa ? digest_info : digest_info + 19, signature[SIGNATURE_BYTES_MAX];
    CK_ULONG bytes = is_rsa ? sizeof digest_info : 32;
    unsigned items = 0;
    double start = now_s(), before = start, end = start;
    while (end - start < seconds && items < sizeof took_ms / sizeof *took_ms) {
        CK_ULONG signature_bytes = sizeof signature;
        memcpy(digest_info + 19, &items, sizeof items);
        CALL(SIGN_INIT, (CK_ULONG, void *, CK_ULONG), session, &mechanism, key);
        CALL(SIGN, (CK_ULONG, CK_BYTE *, CK_ULONG, CK_BYTE *, CK_ULONG *), session, data, bytes, signature, &signature_bytes);
        end = now_s();
        took_ms[items++] = (float)((end - before) * 1e3);
        before = end;
    }
    qsort(took_ms, items, sizeof *took_ms, by_size);
    printf("{\"items\": %u, \"seconds\": %.6f, \"p50_ms\": %.4f, \"p99_ms\": %.4f}\n", items, end - start, took_ms[items / 2], took_ms[items * 99 / 100]);
}

int main(int count, char **arguments)
{
    char line[256];
    if (count != 5 || !fgets(line, sizeof line, stdin))
        return 2;
    void *library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
    must(!library, "dlopen");
    CK_RV (*list)(struct function_list **) = (CK_RV(*)(struct function_list **))dlsym(library, "C_GetFunctionList");
    must(list(&module), "C_GetFunctionList");
    CALL(INITIALIZE, (void *), NULL);
    CK_ULONG session = 0;
    CALL(OPEN_SESSION, (CK_ULONG, CK_ULONG, void *, void *, CK_ULONG *), slot_of(arguments[2]), CKF_SERIAL_SESSION, NULL, NULL, &session);
    CALL(LOGIN, (CK_ULONG, CK_ULONG, char *, CK_ULONG), session, CKU_USER, line, strcspn(line, "\n"));
    CK_ULONG key = key_of(session, arguments[3]);
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("{\"ready\": true}\n");
    while (fgets(line, sizeof line, stdin))
        run(session, key, !strcmp(arguments[4], "rsa"), atof(line));
    CALL(FINALIZE, (void *), NULL);
    return 0;
}
