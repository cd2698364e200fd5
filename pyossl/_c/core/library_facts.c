/* What the OpenSSL in use says of itself: where its libraries lie, and which providers it has loaded. */

typedef struct {
    char name[64];
    char title[128];
    char version[64];
    int active;    /* whether it says that it can do its work; a FIPS provider that failed its self test cannot */
} pyossl_provider;

/* Asked of the dynamic linker, which alone knows: the path in the headers' package is only where it should be. */
static const char *pyossl_file_of(void *function)
{
    Dl_info found;
    return dladdr(function, &found) ? found.dli_fname : NULL;
}

static const char *pyossl_ssl_library(void)
{
    return pyossl_file_of((void *)SSL_new);
}

static const char *pyossl_crypto_library(void)
{
    return pyossl_file_of((void *)OpenSSL_version_num);
}

static const char *pyossl_headers(void)
{
    return OPENSSL_VERSION_TEXT;
}

#if HAVE_PROVIDERS

typedef struct {
    pyossl_provider *providers;
    int room, count;
} pyossl_provider_list;

static int pyossl_take_provider(OSSL_PROVIDER *provider, void *argument)
{
    pyossl_provider_list *list = argument;
    pyossl_provider *target;
    char *title = NULL, *version = NULL;
    OSSL_PARAM parameters[4];

    if (list->count == list->room)
        return 1;
    target = &list->providers[list->count++];
    target->active = 0;
    parameters[0] = OSSL_PARAM_construct_utf8_ptr(OSSL_PROV_PARAM_NAME, &title, 0);
    parameters[1] = OSSL_PARAM_construct_utf8_ptr(OSSL_PROV_PARAM_VERSION, &version, 0);
    parameters[2] = OSSL_PARAM_construct_int(OSSL_PROV_PARAM_STATUS, &target->active);
    parameters[3] = OSSL_PARAM_construct_end();
    if (!OSSL_PROVIDER_get_params(provider, parameters))
        target->active = 0;
    pyossl_copy(target->name, sizeof(target->name), OSSL_PROVIDER_get0_name(provider));
    pyossl_copy(target->title, sizeof(target->title), title);
    pyossl_copy(target->version, sizeof(target->version), version);
    return 1;
}

/* How many providers are loaded; at most `room` of them are written to `providers`. */
static int pyossl_providers(pyossl_provider *providers, int room)
{
    pyossl_provider_list list = { providers, room, 0 };
    return OSSL_PROVIDER_do_all(NULL, pyossl_take_provider, &list) ? list.count : 0;
}

static int pyossl_fips(void)
{
    return EVP_default_properties_is_fips_enabled(NULL);
}

#else

static int pyossl_providers(pyossl_provider *providers, int room)
{
    (void)providers;
    (void)room;
    return 0;
}

static int pyossl_fips(void)
{
    return FIPS_mode();
}

#endif
