/* SPDX-License-Identifier: Apache-2.0 */
/* On OpenSSL's libcrypto. What it is given comes from here or from a Secret, which others can
 * write: everything is checked before use. */
#include "common/certificates.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum { SERIAL_BYTES = 16 };

static enum guard_rc fail(struct guard_err *err, const char *what)
{
    char words[160] = "";
    unsigned long code = ERR_get_error();
    if (code != 0)
        ERR_error_string_n(code, words, sizeof(words));
    ERR_clear_error();
    return guard_fail(err, GUARD_E_IO, "%s: %s", what, words[0] != '\0' ? words : "no memory");
}

/* --- names --- */

static bool is_address(const char *name)
{
    uint8_t bytes[16];
    return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

static bool is_name(const char *name, size_t len)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.";
    return len > 0 && len <= CERTIFICATE_NAME_MAX &&
           (strspn(name, allowed) >= len || memchr(name, ':', len) != NULL);
}

enum guard_rc certificate_names_read(struct certificate_names *out, const char *text,
                                     struct guard_err *err)
{
    *out = (struct certificate_names){.count = 0};
    for (;;) {
        size_t len = strcspn(text, ",");
        if (out->count == CERTIFICATE_NAMES_MAX)
            return guard_fail(err, GUARD_E_RANGE, "more than %d names", CERTIFICATE_NAMES_MAX);
        if (!is_name(text, len))
            return guard_fail(err, GUARD_E_RANGE, "\"%.*s\" is no name of a server",
                              (int)(len < 100 ? len : 100), text);
        char *name = out->list[out->count++];
        memcpy(name, text, len);
        name[len] = '\0';
        if (strchr(name, ':') != NULL && !is_address(name))
            return guard_fail(err, GUARD_E_RANGE, "\"%.100s\" is no address", name);
        if (text[len] == '\0')
            return GUARD_OK;
        text += len + 1;
    }
}

/* --- PEM --- */

static BIO *reader(const char *text)
{
    return BIO_new_mem_buf(text, (int)strnlen(text, CERTIFICATE_CAP));
}

static X509 *read_certificate(const char *text)
{
    BIO *bio = reader(text);
    X509 *found = bio != NULL ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    ERR_clear_error();
    return found;
}

static int no_password(char *out, int size, int writes, void *ctx)
{
    (void)out;
    (void)size;
    (void)writes;
    (void)ctx;
    return -1;
}

static EVP_PKEY *read_key(const char *text)
{
    BIO *bio = reader(text);
    EVP_PKEY *found = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
    BIO_free(bio);
    ERR_clear_error();
    return found;
}

static bool take(BIO *bio, char out[CERTIFICATE_CAP])
{
    int len = BIO_read(bio, out, CERTIFICATE_CAP - 1);
    out[len > 0 ? len : 0] = '\0';
    return len > 0 && BIO_pending(bio) == 0;
}

static bool write_out(struct certificate *out, X509 *made, EVP_PKEY *key)
{
    BIO *text = BIO_new(BIO_s_mem());
    BIO *secret = BIO_new(BIO_s_secmem());
    bool good = text != NULL && secret != NULL && PEM_write_bio_X509(text, made) == 1 &&
                PEM_write_bio_PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL) == 1 &&
                take(text, out->text) && take(secret, out->key);
    BIO_free(text);
    BIO_free(secret);
    return good;
}

/* --- making --- */

static bool add_extension(X509 *made, X509 *issuer, int kind, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, made, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, kind, value);
    bool good = extension != NULL && X509_add_ext(made, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return good;
}

static bool add_names(X509 *made, const struct certificate_names *names)
{
    char text[CERTIFICATE_NAMES_MAX * (CERTIFICATE_NAME_MAX + 8)];
    size_t len = 0;
    for (uint32_t i = 0; i < names->count; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s:%s", i > 0 ? "," : "",
                                is_address(names->list[i]) ? "IP" : "DNS", names->list[i]);
    return add_extension(made, made, NID_subject_alt_name, text);
}

static bool set_times(X509 *made, uint64_t begins_ms, uint64_t ends_ms)
{
    return ASN1_TIME_set(X509_getm_notBefore(made), (time_t)(begins_ms / 1000)) != NULL &&
           ASN1_TIME_set(X509_getm_notAfter(made), (time_t)(ends_ms / 1000)) != NULL;
}

static bool set_serial(X509 *made)
{
    uint8_t bytes[SERIAL_BYTES];
    if (RAND_bytes(bytes, sizeof(bytes)) != 1)
        return false;
    bytes[0] = (uint8_t)((bytes[0] & 0x7f) | 0x40); /* positive, and never short */
    BIGNUM *number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    bool good = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(made)) != NULL;
    BN_free(number);
    return good;
}

/* Each has a name of its own, so that which authority signed what is told by it. */
static bool set_subject(X509 *made, const char *name)
{
    uint8_t bytes[4];
    char text[64];
    X509_NAME *subject = X509_get_subject_name(made);
    if (RAND_bytes(bytes, sizeof(bytes)) != 1)
        return false;
    snprintf(text, sizeof(text), "%.48s %02x%02x%02x%02x", name, bytes[0], bytes[1], bytes[2],
             bytes[3]);
    return X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const uint8_t *)text, -1, -1,
                                      0) == 1;
}

/* What all have. */
static X509 *begin(EVP_PKEY *key, const char *name, uint64_t now_ms, uint64_t ends_ms)
{
    const uint64_t early_ms = (uint64_t)CERTIFICATE_EARLY_S * 1000;
    X509 *made = X509_new();
    if (made != NULL && X509_set_version(made, X509_VERSION_3) == 1 && set_serial(made) &&
        set_times(made, now_ms > early_ms ? now_ms - early_ms : 0, ends_ms) &&
        set_subject(made, name) && X509_set_pubkey(made, key) == 1)
        return made;
    X509_free(made);
    return NULL;
}

enum guard_rc authority_make(struct certificate *out, const char *name, uint64_t now_ms,
                             uint64_t valid_ms, struct guard_err *err)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *made = key != NULL ? begin(key, name, now_ms, now_ms + valid_ms) : NULL;
    *out = (struct certificate){.text = ""};
    bool good = made != NULL && X509_set_issuer_name(made, X509_get_subject_name(made)) == 1 &&
                add_extension(made, made, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
                add_extension(made, made, NID_key_usage, "critical,keyCertSign") &&
                add_extension(made, made, NID_subject_key_identifier, "hash") &&
                X509_sign(made, key, EVP_sha256()) > 0 && write_out(out, made, key);
    enum guard_rc rc = good ? GUARD_OK : fail(err, "an authority can't be made");
    if (!good)
        *out = (struct certificate){.text = ""};
    X509_free(made);
    EVP_PKEY_free(key);
    return rc;
}

static uint64_t end_of(const X509 *certificate)
{
    struct tm tm;
    time_t seconds = ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &tm) == 1 ? timegm(&tm) : -1;
    return seconds > 0 ? (uint64_t)seconds * 1000 : 0;
}

static bool sign(struct certificate *out, X509 *issuer, EVP_PKEY *issuer_key,
                 const struct certificate_names *names, uint64_t now_ms, uint64_t ends_ms)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *made = key != NULL ? begin(key, "server", now_ms, ends_ms) : NULL;
    bool good = made != NULL && X509_set_issuer_name(made, X509_get_subject_name(issuer)) == 1 &&
                add_extension(made, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
                add_extension(made, issuer, NID_key_usage, "critical,digitalSignature") &&
                add_extension(made, issuer, NID_ext_key_usage, "serverAuth") &&
                add_extension(made, issuer, NID_authority_key_identifier, "keyid") &&
                add_names(made, names) && X509_sign(made, issuer_key, EVP_sha256()) > 0 &&
                write_out(out, made, key);
    X509_free(made);
    EVP_PKEY_free(key);
    return good;
}

enum guard_rc certificate_make(struct certificate *out, const struct certificate *authority,
                               const struct certificate_names *names, uint64_t now_ms,
                               uint64_t valid_ms, struct guard_err *err)
{
    X509 *issuer = read_certificate(authority->text);
    EVP_PKEY *issuer_key = read_key(authority->key);
    *out = (struct certificate){.text = ""};
    bool good = issuer != NULL && issuer_key != NULL;
    if (good) {
        uint64_t ends_ms = end_of(issuer);
        good = sign(out, issuer, issuer_key, names, now_ms,
                    now_ms + valid_ms < ends_ms ? now_ms + valid_ms : ends_ms);
    }
    enum guard_rc rc = good ? GUARD_OK : fail(err, "a certificate can't be made");
    if (!good)
        *out = (struct certificate){.text = ""};
    X509_free(issuer);
    EVP_PKEY_free(issuer_key);
    return rc;
}

/* --- looking --- */

bool certificate_end(const char *text, uint64_t *ends_ms)
{
    X509 *certificate = read_certificate(text);
    *ends_ms = certificate != NULL ? end_of(certificate) : 0;
    X509_free(certificate);
    return *ends_ms != 0;
}

bool certificate_has_key(const struct certificate *certificate)
{
    X509 *read = read_certificate(certificate->text);
    EVP_PKEY *key = read_key(certificate->key);
    bool good = read != NULL && key != NULL && X509_check_private_key(read, key) == 1;
    X509_free(read);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return good;
}

static bool is_called(X509 *certificate, const struct certificate_names *names)
{
    for (uint32_t i = 0; i < names->count; i++) {
        const char *name = names->list[i];
        int said = is_address(name) ? X509_check_ip_asc(certificate, name, 0)
                                    : X509_check_host(certificate, name, 0, 0, NULL);
        if (said != 1)
            return false;
    }
    return true;
}

bool certificate_serves(const struct certificate *certificate, const char *authority,
                        const struct certificate_names *names)
{
    X509 *read = read_certificate(certificate->text);
    X509 *issuer = read_certificate(authority);
    EVP_PKEY *key = issuer != NULL ? X509_get_pubkey(issuer) : NULL;
    bool good = read != NULL && key != NULL && X509_check_issued(issuer, read) == X509_V_OK &&
                X509_verify(read, key) == 1 && is_called(read, names) &&
                certificate_has_key(certificate);
    EVP_PKEY_free(key);
    X509_free(read);
    X509_free(issuer);
    ERR_clear_error();
    return good;
}

void certificate_wipe(struct certificate *certificate)
{
    explicit_bzero(certificate, sizeof(*certificate));
}
