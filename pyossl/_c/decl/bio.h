#define BIO_TYPE_DESCRIPTOR ...
#define BIO_TYPE_FILTER ...
#define BIO_TYPE_SOURCE_SINK ...
#define BIO_TYPE_NONE ...
#define BIO_TYPE_MEM ...
#define BIO_TYPE_FILE ...
#define BIO_TYPE_FD ...
#define BIO_TYPE_SOCKET ...
#define BIO_TYPE_NULL ...
#define BIO_TYPE_SSL ...
#define BIO_TYPE_MD ...
#define BIO_TYPE_BUFFER ...
#define BIO_TYPE_CIPHER ...
#define BIO_TYPE_BASE64 ...
#define BIO_TYPE_CONNECT ...
#define BIO_TYPE_ACCEPT ...
#define BIO_TYPE_NBIO_TEST ...
#define BIO_TYPE_NULL_FILTER ...
#define BIO_TYPE_BIO ...
#define BIO_TYPE_LINEBUFFER ...
#define BIO_TYPE_DGRAM ...
#define BIO_TYPE_ASN1 ...
#define BIO_TYPE_COMP ...
#if HAVE_SCTP
#define BIO_TYPE_DGRAM_SCTP ...
#endif
#if HAVE_API_3_0
#define BIO_TYPE_CORE_TO_PROV ...
#endif
#if HAVE_API_3_2
#define BIO_TYPE_DGRAM_PAIR ...
#define BIO_TYPE_DGRAM_MEM ...
#endif
#define BIO_TYPE_START ...
#if HAVE_API_3_2
#define BIO_TYPE_MASK ...
#endif
#define BIO_NOCLOSE ...
#define BIO_CLOSE ...
#define BIO_CTRL_RESET ...
#define BIO_CTRL_EOF ...
#define BIO_CTRL_INFO ...
#define BIO_CTRL_SET ...
#define BIO_CTRL_GET ...
#define BIO_CTRL_PUSH ...
#define BIO_CTRL_POP ...
#define BIO_CTRL_GET_CLOSE ...
#define BIO_CTRL_SET_CLOSE ...
#define BIO_CTRL_PENDING ...
#define BIO_CTRL_FLUSH ...
#define BIO_CTRL_DUP ...
#define BIO_CTRL_WPENDING ...
#define BIO_CTRL_SET_CALLBACK ...
#define BIO_CTRL_GET_CALLBACK ...
#define BIO_CTRL_PEEK ...
#define BIO_CTRL_SET_FILENAME ...
#define BIO_CTRL_DGRAM_CONNECT ...
#define BIO_CTRL_DGRAM_SET_CONNECTED ...
#define BIO_CTRL_DGRAM_SET_RECV_TIMEOUT ...
#define BIO_CTRL_DGRAM_GET_RECV_TIMEOUT ...
#define BIO_CTRL_DGRAM_SET_SEND_TIMEOUT ...
#define BIO_CTRL_DGRAM_GET_SEND_TIMEOUT ...
#define BIO_CTRL_DGRAM_GET_RECV_TIMER_EXP ...
#define BIO_CTRL_DGRAM_GET_SEND_TIMER_EXP ...
#define BIO_CTRL_DGRAM_MTU_DISCOVER ...
#define BIO_CTRL_DGRAM_QUERY_MTU ...
#define BIO_CTRL_DGRAM_GET_FALLBACK_MTU ...
#define BIO_CTRL_DGRAM_GET_MTU ...
#define BIO_CTRL_DGRAM_SET_MTU ...
#define BIO_CTRL_DGRAM_MTU_EXCEEDED ...
#define BIO_CTRL_DGRAM_GET_PEER ...
#define BIO_CTRL_DGRAM_SET_PEER ...
#define BIO_CTRL_DGRAM_SET_NEXT_TIMEOUT ...
#define BIO_CTRL_DGRAM_SET_DONT_FRAG ...
#define BIO_CTRL_DGRAM_GET_MTU_OVERHEAD ...
#define BIO_CTRL_DGRAM_SCTP_SET_IN_HANDSHAKE ...
#if HAVE_SCTP
#define BIO_CTRL_DGRAM_SCTP_ADD_AUTH_KEY ...
#define BIO_CTRL_DGRAM_SCTP_NEXT_AUTH_KEY ...
#define BIO_CTRL_DGRAM_SCTP_AUTH_CCS_RCVD ...
#define BIO_CTRL_DGRAM_SCTP_GET_SNDINFO ...
#define BIO_CTRL_DGRAM_SCTP_SET_SNDINFO ...
#define BIO_CTRL_DGRAM_SCTP_GET_RCVINFO ...
#define BIO_CTRL_DGRAM_SCTP_SET_RCVINFO ...
#define BIO_CTRL_DGRAM_SCTP_GET_PRINFO ...
#define BIO_CTRL_DGRAM_SCTP_SET_PRINFO ...
#define BIO_CTRL_DGRAM_SCTP_SAVE_SHUTDOWN ...
#endif
#define BIO_CTRL_DGRAM_SET_PEEK_MODE ...
#if HAVE_API_3_0
#define BIO_CTRL_GET_KTLS_SEND ...
#define BIO_CTRL_GET_KTLS_RECV ...
#define BIO_CTRL_DGRAM_SCTP_WAIT_FOR_DRY ...
#define BIO_CTRL_DGRAM_SCTP_MSG_WAITING ...
#define BIO_CTRL_SET_PREFIX ...
#define BIO_CTRL_SET_INDENT ...
#define BIO_CTRL_GET_INDENT ...
#endif
#if HAVE_API_3_2
#define BIO_CTRL_DGRAM_GET_LOCAL_ADDR_CAP ...
#define BIO_CTRL_DGRAM_GET_LOCAL_ADDR_ENABLE ...
#define BIO_CTRL_DGRAM_SET_LOCAL_ADDR_ENABLE ...
#define BIO_CTRL_DGRAM_GET_EFFECTIVE_CAPS ...
#define BIO_CTRL_DGRAM_GET_CAPS ...
#define BIO_CTRL_DGRAM_SET_CAPS ...
#define BIO_CTRL_DGRAM_GET_NO_TRUNC ...
#define BIO_CTRL_DGRAM_SET_NO_TRUNC ...
#define BIO_CTRL_GET_RPOLL_DESCRIPTOR ...
#define BIO_CTRL_GET_WPOLL_DESCRIPTOR ...
#define BIO_CTRL_DGRAM_DETECT_PEER_ADDR ...
#endif
#if HAVE_API_3_5
#define BIO_CTRL_DGRAM_SET0_LOCAL_ADDR ...
#endif
#if HAVE_API_3_2
#define BIO_DGRAM_CAP_NONE ...
#define BIO_DGRAM_CAP_HANDLES_SRC_ADDR ...
#define BIO_DGRAM_CAP_HANDLES_DST_ADDR ...
#define BIO_DGRAM_CAP_PROVIDES_SRC_ADDR ...
#define BIO_DGRAM_CAP_PROVIDES_DST_ADDR ...
#endif

#if HAVE_API_3_0
int BIO_get_ktls_send(BIO *b);
int BIO_get_ktls_recv(BIO *b);
#endif

#define BIO_FP_READ ...
#define BIO_FP_WRITE ...
#define BIO_FP_APPEND ...
#define BIO_FP_TEXT ...
#define BIO_FLAGS_READ ...
#define BIO_FLAGS_WRITE ...
#define BIO_FLAGS_IO_SPECIAL ...
#define BIO_FLAGS_RWS ...
#define BIO_FLAGS_SHOULD_RETRY ...
#if !HAVE_API_3_0
#define BIO_FLAGS_UPLINK ...
#endif
#define BIO_FLAGS_BASE64_NO_NL ...
#define BIO_FLAGS_MEM_RDONLY ...
#define BIO_FLAGS_NONCLEAR_RST ...
#define BIO_FLAGS_IN_EOF ...

int BIO_get_new_index(void);
void BIO_set_flags(BIO *b, int flags);
int BIO_test_flags(const BIO *b, int flags);
void BIO_clear_flags(BIO *b, int flags);
int BIO_get_flags(const BIO *b);
void BIO_set_retry_special(BIO *b);
void BIO_set_retry_read(BIO *b);
void BIO_set_retry_write(BIO *b);
void BIO_clear_retry_flags(BIO *b);
int BIO_get_retry_flags(BIO *b);
int BIO_should_read(BIO *b);
int BIO_should_write(BIO *b);
int BIO_should_io_special(BIO *b);
int BIO_retry_type(BIO *b);
int BIO_should_retry(BIO *b);

#define BIO_RR_SSL_X509_LOOKUP ...
#define BIO_RR_CONNECT ...
#define BIO_RR_ACCEPT ...
#define BIO_CB_FREE ...
#define BIO_CB_READ ...
#define BIO_CB_WRITE ...
#define BIO_CB_PUTS ...
#define BIO_CB_GETS ...
#define BIO_CB_CTRL ...
#if HAVE_API_3_2
#define BIO_CB_RECVMMSG ...
#define BIO_CB_SENDMMSG ...
#endif
#define BIO_CB_RETURN ...

int BIO_CB_return(int oper);
int BIO_cb_pre(int oper);
int BIO_cb_post(int oper);
#if !HAVE_API_3_0
typedef long (*BIO_callback_fn)(BIO *b, int oper, const char *argp, int argi, long argl, long ret);
#endif
typedef long (*BIO_callback_fn_ex)(BIO *b, int oper, const char *argp, size_t len, int argi, long argl, int ret, size_t *processed);
#if !HAVE_API_3_0
BIO_callback_fn BIO_get_callback(const BIO *b);
void BIO_set_callback(BIO *b, BIO_callback_fn cb);
#endif
BIO_callback_fn_ex BIO_get_callback_ex(const BIO *b);
void BIO_set_callback_ex(BIO *b, BIO_callback_fn_ex callback);
#if HAVE_API_3_0
long BIO_debug_callback_ex(BIO *bio, int oper, const char *argp, size_t len, int argi, long argl, int ret, size_t *processed);
#endif
char *BIO_get_callback_arg(const BIO *b);
void BIO_set_callback_arg(BIO *b, char *arg);
const char *BIO_method_name(const BIO *b);
int BIO_method_type(const BIO *b);
typedef int BIO_info_cb(BIO *, int, int);
typedef int asn1_ps_func(BIO *b, unsigned char **pbuf, int *plen, void *parg);
#if HAVE_API_3_0
typedef void (*BIO_dgram_sctp_notification_handler_fn)(BIO *b, void *context, void *buf);
#endif
#if HAVE_SCTP
struct bio_dgram_sctp_sndinfo {
    uint16_t snd_sid;
    uint16_t snd_flags;
    uint32_t snd_ppid;
    uint32_t snd_context;
    ...;
};
struct bio_dgram_sctp_rcvinfo {
    uint16_t rcv_sid;
    uint16_t rcv_ssn;
    uint16_t rcv_flags;
    uint32_t rcv_ppid;
    uint32_t rcv_tsn;
    uint32_t rcv_cumtsn;
    uint32_t rcv_context;
    ...;
};
struct bio_dgram_sctp_prinfo {
    uint16_t pr_policy;
    uint32_t pr_value;
    ...;
};
#endif
#if HAVE_API_3_2
typedef struct {
    void *data;
    size_t data_len;
    BIO_ADDR *peer;
    BIO_ADDR *local;
    uint64_t flags;
    ...;
} BIO_MSG;
typedef struct {
    BIO_MSG *msg;
    size_t stride;
    size_t num_msg;
    uint64_t flags;
    size_t *msgs_processed;
    ...;
} BIO_MMSG_CB_ARGS;

#define BIO_POLL_DESCRIPTOR_TYPE_NONE ...
#define BIO_POLL_DESCRIPTOR_TYPE_SOCK_FD ...
#endif
#if HAVE_API_3_3
#define BIO_POLL_DESCRIPTOR_TYPE_SSL ...
#define BIO_POLL_DESCRIPTOR_CUSTOM_START ...
#endif

#if HAVE_API_3_2
typedef struct {
    uint32_t type;
    union 
    {
        int fd;
        void *custom;
        uintptr_t custom_ui;
        SSL *ssl;
    } value;
    ...;
} BIO_POLL_DESCRIPTOR;
#endif

#define BIO_C_SET_CONNECT ...
#define BIO_C_DO_STATE_MACHINE ...
#define BIO_C_SET_NBIO ...
#define BIO_C_SET_FD ...
#define BIO_C_GET_FD ...
#define BIO_C_SET_FILE_PTR ...
#define BIO_C_GET_FILE_PTR ...
#define BIO_C_SET_FILENAME ...
#define BIO_C_SET_SSL ...
#define BIO_C_GET_SSL ...
#define BIO_C_SET_MD ...
#define BIO_C_GET_MD ...
#define BIO_C_GET_CIPHER_STATUS ...
#define BIO_C_SET_BUF_MEM ...
#define BIO_C_GET_BUF_MEM_PTR ...
#define BIO_C_GET_BUFF_NUM_LINES ...
#define BIO_C_SET_BUFF_SIZE ...
#define BIO_C_SET_ACCEPT ...
#define BIO_C_SSL_MODE ...
#define BIO_C_GET_MD_CTX ...
#define BIO_C_SET_BUFF_READ_DATA ...
#define BIO_C_GET_CONNECT ...
#define BIO_C_GET_ACCEPT ...
#define BIO_C_SET_SSL_RENEGOTIATE_BYTES ...
#define BIO_C_GET_SSL_NUM_RENEGOTIATES ...
#define BIO_C_SET_SSL_RENEGOTIATE_TIMEOUT ...
#define BIO_C_FILE_SEEK ...
#define BIO_C_GET_CIPHER_CTX ...
#define BIO_C_SET_BUF_MEM_EOF_RETURN ...
#define BIO_C_SET_BIND_MODE ...
#define BIO_C_GET_BIND_MODE ...
#define BIO_C_FILE_TELL ...
#define BIO_C_GET_SOCKS ...
#define BIO_C_SET_SOCKS ...
#define BIO_C_SET_WRITE_BUF_SIZE ...
#define BIO_C_GET_WRITE_BUF_SIZE ...
#define BIO_C_MAKE_BIO_PAIR ...
#define BIO_C_DESTROY_BIO_PAIR ...
#define BIO_C_GET_WRITE_GUARANTEE ...
#define BIO_C_GET_READ_REQUEST ...
#define BIO_C_SHUTDOWN_WR ...
#define BIO_C_NREAD0 ...
#define BIO_C_NREAD ...
#define BIO_C_NWRITE0 ...
#define BIO_C_NWRITE ...
#define BIO_C_RESET_READ_REQUEST ...
#define BIO_C_SET_MD_CTX ...
#define BIO_C_SET_PREFIX ...
#define BIO_C_GET_PREFIX ...
#define BIO_C_SET_SUFFIX ...
#define BIO_C_GET_SUFFIX ...
#define BIO_C_SET_EX_ARG ...
#define BIO_C_GET_EX_ARG ...
#define BIO_C_SET_CONNECT_MODE ...
#if HAVE_API_3_2
#define BIO_C_SET_TFO ...
#define BIO_C_SET_SOCK_TYPE ...
#define BIO_C_GET_SOCK_TYPE ...
#define BIO_C_GET_DGRAM_BIO ...
#endif
#if HAVE_API_4_0
#define BIO_C_SET_SEND_FLAGS ...
#endif

int BIO_set_app_data(BIO *b, void *arg);
void *BIO_get_app_data(const BIO *b);
long BIO_set_nbio(BIO *b, long n);
#if HAVE_API_3_2
int BIO_set_tfo(BIO *b, int onoff);
#endif

#define BIO_FAMILY_IPV4 ...
#define BIO_FAMILY_IPV6 ...
#define BIO_FAMILY_IPANY ...

long BIO_set_conn_hostname(BIO *b, char *name);
long BIO_set_conn_port(BIO *b, char *port);
long BIO_set_conn_address(BIO *b, BIO_ADDR *addr);
long BIO_set_conn_ip_family(BIO *b, long family);
const char *BIO_get_conn_hostname(BIO *b);
const char *BIO_get_conn_port(BIO *b);
const BIO_ADDR *BIO_get_conn_address(BIO *b);
long BIO_get_conn_ip_family(BIO *b);
#if HAVE_API_3_2
int BIO_get_conn_mode(BIO *b);
#endif
int BIO_set_conn_mode(BIO *b, int mode);
#if HAVE_API_3_2
int BIO_set_sock_type(BIO *b, int sock_type);
int BIO_get_sock_type(BIO *b);
int BIO_get0_dgram_bio(BIO *b, BIO **dgram_bio);
#endif
long BIO_set_accept_name(BIO *b, char *name);
long BIO_set_accept_port(BIO *b, char *port);
char *BIO_get_accept_name(BIO *b);
char *BIO_get_accept_port(BIO *b);
char *BIO_get_peer_name(BIO *b);
char *BIO_get_peer_port(BIO *b);
long BIO_set_nbio_accept(BIO *b, int n);
long BIO_set_accept_bios(BIO *b, BIO *bio);
long BIO_set_accept_ip_family(BIO *b, long family);
long BIO_get_accept_ip_family(BIO *b);
#if HAVE_API_3_2
long BIO_set_tfo_accept(BIO *b, int n);
#endif

#define BIO_BIND_NORMAL ...
#define BIO_BIND_REUSEADDR ...
#define BIO_BIND_REUSEADDR_IF_UNUSED ...

long BIO_set_bind_mode(BIO *b, long mode);
long BIO_get_bind_mode(BIO *b);
long BIO_do_connect(BIO *b);
int BIO_do_accept(BIO *b);
long BIO_do_handshake(BIO *b);
int BIO_set_fd(BIO *b, int fd, int c);
int BIO_get_fd(BIO *b, int *c);
long BIO_set_fp(BIO *b, FILE *fp, int flags);
long BIO_get_fp(BIO *b, FILE **fpp);
int BIO_seek(BIO *b, int ofs);
int BIO_tell(BIO *b);
int BIO_read_filename(BIO *b, char *name);
int BIO_write_filename(BIO *b, char *name);
int BIO_append_filename(BIO *b, char *name);
int BIO_rw_filename(BIO *b, char *name);
long BIO_set_ssl(BIO *b, SSL *ssl, long c);
long BIO_get_ssl(BIO *b, SSL **sslp);
long BIO_set_ssl_mode(BIO *b, long client);
long BIO_set_ssl_renegotiate_bytes(BIO *b, long num);
long BIO_get_num_renegotiates(BIO *b);
long BIO_set_ssl_renegotiate_timeout(BIO *b, long seconds);
long BIO_get_mem_data(BIO *b, char **pp);
long BIO_set_mem_buf(BIO *b, BUF_MEM *bm, int c);
long BIO_get_mem_ptr(BIO *b, BUF_MEM **pp);
long BIO_set_mem_eof_return(BIO *b, int v);
long BIO_get_buffer_num_lines(BIO *b);
long BIO_set_buffer_size(BIO *b, long size);
long BIO_set_read_buffer_size(BIO *b, long size);
long BIO_set_write_buffer_size(BIO *b, long size);
long BIO_set_buffer_read_data(BIO *b, void *buf, long num);
long BIO_dup_state(BIO *b, BIO *ret);
int BIO_reset(BIO *b);
int BIO_set_close(BIO *b, long flag);
int BIO_get_close(BIO *b);
int BIO_pending(BIO *b);
int BIO_wpending(BIO *b);
size_t BIO_ctrl_pending(BIO *b);
size_t BIO_ctrl_wpending(BIO *b);
int BIO_flush(BIO *b);
int BIO_get_info_callback(BIO *b, BIO_info_cb **cbp);
int BIO_set_info_callback(BIO *b, BIO_info_cb *cb);
long BIO_buffer_get_num_lines(BIO *b);
long BIO_buffer_peek(BIO *b, char *buf, long size);
int BIO_set_write_buf_size(BIO *b, long size);
size_t BIO_get_write_buf_size(BIO *b, long size);
int BIO_make_bio_pair(BIO *b1, BIO *b2);
int BIO_destroy_bio_pair(BIO *b);
int BIO_shutdown_wr(BIO *b);
int BIO_get_write_guarantee(BIO *b);
int BIO_get_read_request(BIO *b);
size_t BIO_ctrl_get_write_guarantee(BIO *b);
size_t BIO_ctrl_get_read_request(BIO *b);
int BIO_ctrl_reset_read_request(BIO *b);
int BIO_ctrl_dgram_connect(BIO *bio, const BIO_ADDR *peer);
int BIO_ctrl_set_connected(BIO *bio, const BIO_ADDR *peer);
int BIO_dgram_recv_timedout(BIO *bio);
int BIO_dgram_send_timedout(BIO *bio);
int BIO_dgram_get_peer(BIO *bio, BIO_ADDR *peer);
int BIO_dgram_set_peer(BIO *bio, const BIO_ADDR *peer);
#if HAVE_API_3_2
int BIO_dgram_detect_peer_addr(BIO *bio, BIO_ADDR *peer);
#endif
int BIO_dgram_get_mtu_overhead(BIO *bio);
#if HAVE_API_3_2
int BIO_dgram_get_local_addr_cap(BIO *b);
int BIO_dgram_get_local_addr_enable(BIO *b, int *enable);
int BIO_dgram_set_local_addr_enable(BIO *b, int enable);
uint32_t BIO_dgram_get_effective_caps(BIO *bio);
uint32_t BIO_dgram_get_caps(BIO *bio);
int BIO_dgram_set_caps(BIO *bio, uint32_t caps);
int BIO_dgram_get_no_trunc(BIO *bio);
int BIO_dgram_set_no_trunc(BIO *bio, int enable);
unsigned int BIO_dgram_get_mtu(BIO *bio);
int BIO_dgram_set_mtu(BIO *bio, unsigned int mtu);
#endif
#if HAVE_API_3_5
int BIO_dgram_set0_local_addr(BIO *bio, BIO_ADDR *addr);
#endif
#if HAVE_API_3_0
long BIO_set_prefix(BIO *b, const char *prefix);
long BIO_set_indent(BIO *b, long indent);
long BIO_get_indent(BIO *b);
#endif
int BIO_get_ex_new_index(long argl, void *argp, CRYPTO_EX_new *new_func, CRYPTO_EX_dup *dup_func, CRYPTO_EX_free *free_func);
int BIO_set_ex_data(BIO *bio, int idx, void *data);
void *BIO_get_ex_data(const BIO *bio, int idx);
uint64_t BIO_number_read(BIO *bio);
uint64_t BIO_number_written(BIO *bio);
int BIO_asn1_set_prefix(BIO *b, asn1_ps_func *prefix, asn1_ps_func *prefix_free);
int BIO_asn1_get_prefix(BIO *b, asn1_ps_func **pprefix, asn1_ps_func **pprefix_free);
int BIO_asn1_set_suffix(BIO *b, asn1_ps_func *suffix, asn1_ps_func *suffix_free);
int BIO_asn1_get_suffix(BIO *b, asn1_ps_func **psuffix, asn1_ps_func **psuffix_free);
const BIO_METHOD *BIO_s_file(void);
BIO *BIO_new_file(const char *filename, const char *mode);
#if HAVE_API_3_0
BIO *BIO_new_from_core_bio(OSSL_LIB_CTX *libctx, OSSL_CORE_BIO *corebio);
#endif
BIO *BIO_new_fp(FILE *stream, int flags);
#if HAVE_API_3_0
BIO *BIO_new_ex(OSSL_LIB_CTX *libctx, const BIO_METHOD *type);
#endif
BIO *BIO_new(const BIO_METHOD *type);
int BIO_free(BIO *a);
void BIO_set_data(BIO *a, void *ptr);
void *BIO_get_data(BIO *a);
void BIO_set_init(BIO *a, int init);
int BIO_get_init(BIO *a);
void BIO_set_shutdown(BIO *a, int shut);
int BIO_get_shutdown(BIO *a);
void BIO_vfree(BIO *a);
int BIO_up_ref(BIO *a);
int BIO_read(BIO *b, void *data, int dlen);
int BIO_read_ex(BIO *b, void *data, size_t dlen, size_t *readbytes);
#if HAVE_API_3_2
int BIO_recvmmsg(BIO *b, BIO_MSG *msg, size_t stride, size_t num_msg, uint64_t flags, size_t *msgs_processed);
#endif
int BIO_gets(BIO *b, char *buf, int size);
#if HAVE_API_3_0
int BIO_get_line(BIO *b, char *buf, int size);
#endif
int BIO_write(BIO *b, const void *data, int dlen);
int BIO_write_ex(BIO *b, const void *data, size_t dlen, size_t *written);
#if HAVE_API_3_2
int BIO_sendmmsg(BIO *b, BIO_MSG *msg, size_t stride, size_t num_msg, uint64_t flags, size_t *msgs_processed);
int BIO_get_rpoll_descriptor(BIO *b, BIO_POLL_DESCRIPTOR *desc);
int BIO_get_wpoll_descriptor(BIO *b, BIO_POLL_DESCRIPTOR *desc);
#endif
int BIO_puts(BIO *b, const char *buf);
int BIO_indent(BIO *b, int indent, int max);
long BIO_ctrl(BIO *bp, int cmd, long larg, void *parg);
int BIO_eof(BIO *b);
long BIO_callback_ctrl(BIO *b, int cmd, BIO_info_cb *cb);
void *BIO_ptr_ctrl(BIO *bp, int cmd, long larg);
long BIO_int_ctrl(BIO *bp, int cmd, long larg, int iarg);
BIO *BIO_push(BIO *b, BIO *next);
BIO *BIO_pop(BIO *b);
void BIO_free_all(BIO *a);
BIO *BIO_find_type(BIO *b, int bio_type);
BIO *BIO_next(BIO *b);
void BIO_set_next(BIO *b, BIO *next);
BIO *BIO_get_retry_BIO(BIO *bio, int *reason);
int BIO_get_retry_reason(BIO *bio);
void BIO_set_retry_reason(BIO *bio, int reason);
BIO *BIO_dup_chain(BIO *in);
int BIO_nread0(BIO *bio, char **buf);
int BIO_nread(BIO *bio, char **buf, int num);
int BIO_nwrite0(BIO *bio, char **buf);
int BIO_nwrite(BIO *bio, char **buf, int num);
#if !HAVE_API_3_0
long BIO_debug_callback(BIO *bio, int cmd, const char *argp, int argi, long argl, long ret);
#endif
const BIO_METHOD *BIO_s_mem(void);
#if HAVE_API_3_2
const BIO_METHOD *BIO_s_dgram_mem(void);
#endif
const BIO_METHOD *BIO_s_secmem(void);
BIO *BIO_new_mem_buf(const void *buf, int len);
const BIO_METHOD *BIO_s_socket(void);
const BIO_METHOD *BIO_s_connect(void);
const BIO_METHOD *BIO_s_accept(void);
const BIO_METHOD *BIO_s_fd(void);
const BIO_METHOD *BIO_s_log(void);
const BIO_METHOD *BIO_s_bio(void);
const BIO_METHOD *BIO_s_null(void);
const BIO_METHOD *BIO_f_null(void);
const BIO_METHOD *BIO_f_buffer(void);
#if HAVE_API_3_0
const BIO_METHOD *BIO_f_readbuffer(void);
#endif
const BIO_METHOD *BIO_f_linebuffer(void);
const BIO_METHOD *BIO_f_nbio_test(void);
#if HAVE_API_3_0
const BIO_METHOD *BIO_f_prefix(void);
const BIO_METHOD *BIO_s_core(void);
#endif
#if HAVE_API_3_2
const BIO_METHOD *BIO_s_dgram_pair(void);
#endif
const BIO_METHOD *BIO_s_datagram(void);
int BIO_dgram_non_fatal_error(int error);
BIO *BIO_new_dgram(int fd, int close_flag);
#if HAVE_SCTP
const BIO_METHOD *BIO_s_datagram_sctp(void);
BIO *BIO_new_dgram_sctp(int fd, int close_flag);
int BIO_dgram_is_sctp(BIO *bio);
#if HAVE_API_3_0
int BIO_dgram_sctp_notification_cb(BIO *b, BIO_dgram_sctp_notification_handler_fn handle_notifications, void *context);
#else
int BIO_dgram_sctp_notification_cb(BIO *b, void (*handle_notifications)(BIO *bio, void *context, void *buf), void *context);
#endif
int BIO_dgram_sctp_wait_for_dry(BIO *b);
int BIO_dgram_sctp_msg_waiting(BIO *b);
#endif
int BIO_sock_should_retry(int i);
int BIO_sock_non_fatal_error(int error);
#if HAVE_API_3_2
int BIO_err_is_non_fatal(unsigned int errcode);
#endif
#if HAVE_API_3_0
int BIO_socket_wait(int fd, int for_read, time_t max_time);
#endif
#if HAVE_API_4_0
long BIO_set_send_flags(BIO *b, int flags);
#endif
#if HAVE_API_3_0
int BIO_wait(BIO *bio, time_t max_time, unsigned int nap_milliseconds);
int BIO_do_connect_retry(BIO *bio, int timeout, int nap_milliseconds);
#endif
int BIO_fd_should_retry(int i);
int BIO_fd_non_fatal_error(int error);
#if HAVE_API_3_0
int BIO_dump_cb(int (*cb)(const void *data, size_t len, void *u), void *u, const void *s, int len);
int BIO_dump_indent_cb(int (*cb)(const void *data, size_t len, void *u), void *u, const void *s, int len, int indent);
int BIO_dump(BIO *b, const void *bytes, int len);
int BIO_dump_indent(BIO *b, const void *bytes, int len, int indent);
int BIO_dump_fp(FILE *fp, const void *s, int len);
int BIO_dump_indent_fp(FILE *fp, const void *s, int len, int indent);
int BIO_hex_string(BIO *out, int indent, int width, const void *data, int datalen);
#else
int BIO_dump_cb(int (*cb)(const void *data, size_t len, void *u), void *u, const char *s, int len);
int BIO_dump_indent_cb(int (*cb)(const void *data, size_t len, void *u), void *u, const char *s, int len, int indent);
int BIO_dump(BIO *b, const char *bytes, int len);
int BIO_dump_indent(BIO *b, const char *bytes, int len, int indent);
int BIO_dump_fp(FILE *fp, const char *s, int len);
int BIO_dump_indent_fp(FILE *fp, const char *s, int len, int indent);
int BIO_hex_string(BIO *out, int indent, int width, unsigned char *data, int datalen);
#endif
BIO_ADDR *BIO_ADDR_new(void);
#if HAVE_API_3_2
int BIO_ADDR_copy(BIO_ADDR *dst, const BIO_ADDR *src);
BIO_ADDR *BIO_ADDR_dup(const BIO_ADDR *ap);
#endif
int BIO_ADDR_rawmake(BIO_ADDR *ap, int family, const void *where, size_t wherelen, unsigned short port);
void BIO_ADDR_free(BIO_ADDR *ap);
void BIO_ADDR_clear(BIO_ADDR *ap);
int BIO_ADDR_family(const BIO_ADDR *ap);
int BIO_ADDR_rawaddress(const BIO_ADDR *ap, void *p, size_t *l);
unsigned short BIO_ADDR_rawport(const BIO_ADDR *ap);
char *BIO_ADDR_hostname_string(const BIO_ADDR *ap, int numeric);
char *BIO_ADDR_service_string(const BIO_ADDR *ap, int numeric);
char *BIO_ADDR_path_string(const BIO_ADDR *ap);
const BIO_ADDRINFO *BIO_ADDRINFO_next(const BIO_ADDRINFO *bai);
int BIO_ADDRINFO_family(const BIO_ADDRINFO *bai);
int BIO_ADDRINFO_socktype(const BIO_ADDRINFO *bai);
int BIO_ADDRINFO_protocol(const BIO_ADDRINFO *bai);
const BIO_ADDR *BIO_ADDRINFO_address(const BIO_ADDRINFO *bai);
void BIO_ADDRINFO_free(BIO_ADDRINFO *bai);
enum BIO_hostserv_priorities { BIO_PARSE_PRIO_HOST, BIO_PARSE_PRIO_SERV };
int BIO_parse_hostserv(const char *hostserv, char **host, char **service, enum BIO_hostserv_priorities hostserv_prio);
enum BIO_lookup_type { BIO_LOOKUP_CLIENT, BIO_LOOKUP_SERVER };
int BIO_lookup(const char *host, const char *service, enum BIO_lookup_type lookup_type, int family, int socktype, BIO_ADDRINFO **res);
int BIO_lookup_ex(const char *host, const char *service, int lookup_type, int family, int socktype, int protocol, BIO_ADDRINFO **res);
int BIO_sock_error(int sock);
int BIO_socket_ioctl(int fd, long type, void *arg);
int BIO_socket_nbio(int fd, int mode);
int BIO_sock_init(void);
int BIO_set_tcp_ndelay(int sock, int turn_on);
enum BIO_sock_info_type { BIO_SOCK_INFO_ADDRESS };
union BIO_sock_info_u {
    BIO_ADDR *addr;
    ...;
};
int BIO_sock_info(int sock, enum BIO_sock_info_type type, union BIO_sock_info_u *info);

#define BIO_SOCK_REUSEADDR ...
#define BIO_SOCK_V6_ONLY ...
#define BIO_SOCK_KEEPALIVE ...
#define BIO_SOCK_NONBLOCK ...
#define BIO_SOCK_NODELAY ...
#if HAVE_API_3_2
#define BIO_SOCK_TFO ...
#endif

int BIO_socket(int domain, int socktype, int protocol, int options);
int BIO_connect(int sock, const BIO_ADDR *addr, int options);
int BIO_bind(int sock, const BIO_ADDR *addr, int options);
int BIO_listen(int sock, const BIO_ADDR *addr, int options);
int BIO_accept_ex(int accept_sock, BIO_ADDR *peer, int options);
int BIO_closesocket(int sock);
BIO *BIO_new_socket(int sock, int close_flag);
BIO *BIO_new_connect(const char *name);
BIO *BIO_new_accept(const char *host_port);
BIO *BIO_new_fd(int fd, int close_flag);
int BIO_new_bio_pair(BIO **bio1, size_t writebuf1, BIO **bio2, size_t writebuf2);
#if HAVE_API_3_2
int BIO_new_bio_dgram_pair(BIO **bio1, size_t writebuf1, BIO **bio2, size_t writebuf2);
#endif
void BIO_copy_next_retry(BIO *b);
int BIO_printf(BIO *bio, const char *format, ...);
int BIO_snprintf(char *buf, size_t n, const char *format, ...);
BIO_METHOD *BIO_meth_new(int type, const char *name);
void BIO_meth_free(BIO_METHOD *biom);
#if !HAVE_API_3_5
int (*BIO_meth_get_write(const BIO_METHOD *biom))(BIO *, const char *, int);
int (*BIO_meth_get_write_ex(const BIO_METHOD *biom))(BIO *, const char *, size_t, size_t *);
#endif
int BIO_meth_set_write(BIO_METHOD *biom, int (*write)(BIO *, const char *, int));
int BIO_meth_set_write_ex(BIO_METHOD *biom, int (*bwrite)(BIO *, const char *, size_t, size_t *));
#if !HAVE_API_3_5
int (*BIO_meth_get_read(const BIO_METHOD *biom))(BIO *, char *, int);
int (*BIO_meth_get_read_ex(const BIO_METHOD *biom))(BIO *, char *, size_t, size_t *);
#endif
#if HAVE_API_3_2
int BIO_meth_set_sendmmsg(BIO_METHOD *biom, int (*f)(BIO *, BIO_MSG *, size_t, size_t, uint64_t, size_t *));
#endif
int BIO_meth_set_read(BIO_METHOD *biom, int (*read)(BIO *, char *, int));
int BIO_meth_set_read_ex(BIO_METHOD *biom, int (*bread)(BIO *, char *, size_t, size_t *));
#if !HAVE_API_3_5
int (*BIO_meth_get_puts(const BIO_METHOD *biom))(BIO *, const char *);
#endif
#if HAVE_API_3_2
int BIO_meth_set_recvmmsg(BIO_METHOD *biom, int (*f)(BIO *, BIO_MSG *, size_t, size_t, uint64_t, size_t *));
#endif
int BIO_meth_set_puts(BIO_METHOD *biom, int (*puts)(BIO *, const char *));
#if !HAVE_API_3_5
int (*BIO_meth_get_gets(const BIO_METHOD *biom))(BIO *, char *, int);
#endif
int BIO_meth_set_gets(BIO_METHOD *biom, int (*gets)(BIO *, char *, int));
#if !HAVE_API_3_5
long (*BIO_meth_get_ctrl(const BIO_METHOD *biom))(BIO *, int, long, void *);
#endif
int BIO_meth_set_ctrl(BIO_METHOD *biom, long (*ctrl)(BIO *, int, long, void *));
#if !HAVE_API_3_5
int (*BIO_meth_get_create(const BIO_METHOD *bion))(BIO *);
#endif
int BIO_meth_set_create(BIO_METHOD *biom, int (*create)(BIO *));
#if !HAVE_API_3_5
int (*BIO_meth_get_destroy(const BIO_METHOD *biom))(BIO *);
#endif
int BIO_meth_set_destroy(BIO_METHOD *biom, int (*destroy)(BIO *));
#if !HAVE_API_3_5
long (*BIO_meth_get_callback_ctrl(const BIO_METHOD *biom))(BIO *, int, BIO_info_cb *);
#endif
int BIO_meth_set_callback_ctrl(BIO_METHOD *biom, long (*callback_ctrl)(BIO *, int, BIO_info_cb *));
