/*
 * A PKCS#11 module that forwards everything to another one, and breaks on command.
 *
 * It hands out the real module's CK_FUNCTION_LIST (PKCS#11 v2.40, 68 entries) with six doors replaced. Each door counts its calls and
 * obeys a rule that the tests write into a file which every process maps: so a rule changes at once, for all workers, while they run.
 * Each use of a key (C_Sign with an output buffer) that reaches the real module is written down there BEFORE it is forwarded: who dies
 * inside the call has still been counted.
 *
 * It can also give up sessions that were idle for too long, as tokens do that have few of them.
 *
 * SIGNER_SHIM_MODULE: the real module. SIGNER_SHIM_STATE: the file, of sizeof(struct state) bytes or more.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

typedef unsigned long CK_ULONG;
typedef CK_ULONG CK_RV;
typedef unsigned char CK_BYTE;
typedef void *CK_FUNCTION; /* of 68 different types */

enum { CKR_OK = 0, CKR_ARGUMENTS_BAD = 7, CKR_SESSION_HANDLE_INVALID = 0xB3 };
enum { F_INITIALIZE = 0, F_FINALIZE = 1, F_GET_FUNCTION_LIST = 3, F_OPEN_SESSION = 12, F_LOGIN = 18, F_SIGN_INIT = 42, F_SIGN = 43, F_GENERATE_RANDOM = 64, F_COUNT = 68 };

struct function_list {
    CK_BYTE major, minor;
    CK_FUNCTION functions[F_COUNT];
};

/* What Python reads and writes: tests/support/shim.py knows the same layout. */
enum door_name { INITIALIZE, OPEN_SESSION, LOGIN, SIGN_INIT, SIGN, GENERATE_RANDOM, DOORS };
enum action { NONE, FAIL_BEFORE, FAIL_AFTER, HANG_BEFORE, HANG_AFTER, CRASH_BEFORE, CRASH_AFTER, SPOIL };
enum { LOG_MAX = 65536, DIGEST_BYTES = 32, SESSIONS_MAX = 4096 };

struct door {
    uint64_t calls;      /* counted here */
    uint64_t first, end; /* the calls struck: first <= number < end, numbers from 0 */
    uint64_t action, ckr, delay_us;
    uint64_t last_pid;   /* who called last */
    uint64_t spare;
};

struct key_use {
    uint64_t monotonic_ns, pid;
    CK_BYTE digest[DIGEST_BYTES]; /* the last bytes of what is signed */
};

struct state {
    uint64_t key_uses;
    uint64_t idle_ns_max; /* a session that was idle for longer is given up; 0: none is */
    uint64_t given_up;    /* so often */
    uint64_t spare[5];
    struct door doors[DOORS];
    struct key_use log[LOG_MAX];
};

static struct state *state;
static uint64_t used_ns[SESSIONS_MAX]; /* by session handle */
static struct function_list *real;
static struct function_list ours;

static void die(const char *why)
{
    fprintf(stderr, "shim: %s\n", why);
    _exit(97);
}

static void load(void)
{
    if (real)
        return;
    const char *module = getenv("SIGNER_SHIM_MODULE"), *path = getenv("SIGNER_SHIM_STATE");
    if (!module || !path)
        die("SIGNER_SHIM_MODULE and SIGNER_SHIM_STATE must be set");
    int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0)
        die("the state file can't be opened");
    state = mmap(NULL, sizeof *state, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    void *library = dlopen(module, RTLD_NOW | RTLD_LOCAL);
    if (state == MAP_FAILED || !library)
        die("the state file can't be mapped or the real module can't be loaded");
    CK_RV (*list)(struct function_list **) = dlsym(library, "C_GetFunctionList");
    if (!list || list(&real) != CKR_OK)
        die("the real module has no function list");
}

static void hang(void)
{
    for (;;)
        pause();
}

static void crash(void)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    volatile int *nowhere = NULL;
    *nowhere = 1;
}

static void wait_us(uint64_t us)
{
    struct timespec left = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};
    while (us && nanosleep(&left, &left))
        ;
}

/* Counts the call, waits half the delay, does what comes before the real call; the action that is still to be done after it. */
static enum action enter(enum door_name name, CK_RV *answer)
{
    struct door *door = &state->doors[name];
    __atomic_store_n(&door->last_pid, (uint64_t)getpid(), __ATOMIC_SEQ_CST);
    uint64_t number = __atomic_fetch_add(&door->calls, 1, __ATOMIC_SEQ_CST);
    wait_us(__atomic_load_n(&door->delay_us, __ATOMIC_SEQ_CST) / 2);
    uint64_t end = __atomic_load_n(&door->end, __ATOMIC_SEQ_CST);
    if (number >= end || number < door->first)
        return NONE;
    *answer = door->ckr;
    if (door->action == HANG_BEFORE)
        hang();
    if (door->action == CRASH_BEFORE)
        crash();
    return (enum action)door->action;
}

/* The other half of the delay lies here: who is killed at random dies before the key's use as often as after it. */
static CK_RV leave(enum door_name name, enum action action, CK_RV struck, CK_RV answer)
{
    wait_us(__atomic_load_n(&state->doors[name].delay_us, __ATOMIC_SEQ_CST) / 2);
    if (action == HANG_AFTER)
        hang();
    if (action == CRASH_AFTER)
        crash();
    return action == FAIL_AFTER ? struck : answer;
}

static uint64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int is_given_up(CK_ULONG session)
{
    uint64_t now_ns = monotonic_ns(), *last_ns = &used_ns[session % SESSIONS_MAX];
    uint64_t idle_ns_max = __atomic_load_n(&state->idle_ns_max, __ATOMIC_SEQ_CST);
    if (idle_ns_max && *last_ns && now_ns - *last_ns > idle_ns_max) {
        __atomic_fetch_add(&state->given_up, 1, __ATOMIC_SEQ_CST);
        return 1;
    }
    *last_ns = now_ns;
    return 0;
}

#define FORWARD(index, types, ...) (((CK_RV(*) types)(real->functions[index]))(__VA_ARGS__))

CK_RV C_Initialize(void *arguments)
{
    load();
    CK_RV struck = CKR_OK;
    enum action action = enter(INITIALIZE, &struck);
    if (action == FAIL_BEFORE)
        return struck;
    return leave(INITIALIZE, action, struck, FORWARD(F_INITIALIZE, (void *), arguments));
}

CK_RV C_Finalize(void *reserved)
{
    load();
    return FORWARD(F_FINALIZE, (void *), reserved);
}

static CK_RV open_session(CK_ULONG slot, CK_ULONG flags, void *application, void *notify, CK_ULONG *session)
{
    CK_RV struck = CKR_OK;
    enum action action = enter(OPEN_SESSION, &struck);
    if (action == FAIL_BEFORE)
        return struck;
    CK_RV answer = FORWARD(F_OPEN_SESSION, (CK_ULONG, CK_ULONG, void *, void *, CK_ULONG *), slot, flags, application, notify, session);
    if (answer == CKR_OK)
        used_ns[*session % SESSIONS_MAX] = monotonic_ns();
    return leave(OPEN_SESSION, action, struck, answer);
}

static CK_RV login(CK_ULONG session, CK_ULONG user, CK_BYTE *pin, CK_ULONG pin_bytes)
{
    CK_RV struck = CKR_OK;
    enum action action = enter(LOGIN, &struck);
    if (action == FAIL_BEFORE)
        return struck;
    return leave(LOGIN, action, struck, FORWARD(F_LOGIN, (CK_ULONG, CK_ULONG, CK_BYTE *, CK_ULONG), session, user, pin, pin_bytes));
}

static CK_RV generate_random(CK_ULONG session, CK_BYTE *data, CK_ULONG bytes)
{
    CK_RV struck = CKR_OK;
    enum action action = enter(GENERATE_RANDOM, &struck);
    if (action == FAIL_BEFORE)
        return struck;
    if (is_given_up(session))
        return CKR_SESSION_HANDLE_INVALID;
    return leave(GENERATE_RANDOM, action, struck, FORWARD(F_GENERATE_RANDOM, (CK_ULONG, CK_BYTE *, CK_ULONG), session, data, bytes));
}

static CK_RV sign_init(CK_ULONG session, void *mechanism, CK_ULONG key)
{
    if (is_given_up(session))
        return CKR_SESSION_HANDLE_INVALID;
    CK_RV struck = CKR_OK;
    enum action action = enter(SIGN_INIT, &struck);
    if (action == FAIL_BEFORE)
        return struck;
    return leave(SIGN_INIT, action, struck, FORWARD(F_SIGN_INIT, (CK_ULONG, void *, CK_ULONG), session, mechanism, key));
}

static void write_down(const CK_BYTE *data, CK_ULONG bytes)
{
    uint64_t number = __atomic_fetch_add(&state->key_uses, 1, __ATOMIC_SEQ_CST);
    if (number >= LOG_MAX)
        die("more key uses than the log holds");
    struct key_use *use = &state->log[number];
    CK_ULONG kept = bytes < DIGEST_BYTES ? bytes : DIGEST_BYTES;
    memcpy(use->digest, data + bytes - kept, kept);
    use->pid = (uint64_t)getpid();
    use->monotonic_ns = monotonic_ns();
}

/* An error of C_Sign ends the operation. Data that no RSA key can sign makes the real module end it, without a use of the key. */
static void end_operation(CK_ULONG session)
{
    static CK_BYTE too_long[8192], nowhere[1024];
    CK_ULONG room = sizeof nowhere;
    FORWARD(F_SIGN, (CK_ULONG, CK_BYTE *, CK_ULONG, CK_BYTE *, CK_ULONG *), session, too_long, sizeof too_long, nowhere, &room);
}

/* Asking for the length is no use of the key: it is forwarded as it is. */
static CK_RV sign(CK_ULONG session, CK_BYTE *data, CK_ULONG bytes, CK_BYTE *signature, CK_ULONG *signature_bytes)
{
    if (!signature)
        return FORWARD(F_SIGN, (CK_ULONG, CK_BYTE *, CK_ULONG, CK_BYTE *, CK_ULONG *), session, data, bytes, NULL, signature_bytes);
    CK_RV struck = CKR_OK;
    enum action action = enter(SIGN, &struck);
    if (action == FAIL_BEFORE) {
        end_operation(session);
        return struck;
    }
    write_down(data, bytes);
    CK_RV answer = FORWARD(F_SIGN, (CK_ULONG, CK_BYTE *, CK_ULONG, CK_BYTE *, CK_ULONG *), session, data, bytes, signature, signature_bytes);
    if (action == SPOIL && answer == CKR_OK)
        signature[*signature_bytes / 2] ^= 1;
    return leave(SIGN, action, struck, answer);
}

CK_RV C_GetFunctionList(struct function_list **list)
{
    if (!list)
        return CKR_ARGUMENTS_BAD;
    load();
    ours = *real;
    ours.functions[F_INITIALIZE] = C_Initialize;
    ours.functions[F_FINALIZE] = C_Finalize;
    ours.functions[F_GET_FUNCTION_LIST] = C_GetFunctionList;
    ours.functions[F_OPEN_SESSION] = open_session;
    ours.functions[F_LOGIN] = login;
    ours.functions[F_SIGN_INIT] = sign_init;
    ours.functions[F_SIGN] = sign;
    ours.functions[F_GENERATE_RANDOM] = generate_random;
    *list = &ours;
    return CKR_OK;
}
