#define BIO_NOCLOSE ...
#define BIO_CLOSE ...
BIO *BIO_new(const BIO_METHOD *type);
int BIO_up_ref(BIO *bio);
int BIO_free(BIO *bio);
int BIO_read_ex(BIO *bio, void *data, size_t size, size_t *read);
int BIO_write_ex(BIO *bio, const void *data, size_t size, size_t *written);
size_t BIO_ctrl_pending(BIO *bio);
size_t BIO_ctrl_wpending(BIO *bio);
int BIO_should_retry(BIO *bio);
int BIO_should_read(BIO *bio);
int BIO_should_write(BIO *bio);
int BIO_eof(BIO *bio);
int BIO_flush(BIO *bio);
int BIO_reset(BIO *bio);
int BIO_method_type(const BIO *bio);
const char *BIO_method_name(const BIO *bio);
const BIO_METHOD *BIO_s_mem(void);
BIO *BIO_new_mem_buf(const void *data, int length);
long BIO_set_mem_eof_return(BIO *bio, long value);
int BIO_new_bio_pair(BIO **first, size_t write_buffer1, BIO **second, size_t write_buffer2);
size_t BIO_ctrl_get_write_guarantee(BIO *bio);
size_t BIO_ctrl_get_read_request(BIO *bio);
int BIO_shutdown_wr(BIO *bio);
long BIO_get_fd(BIO *bio, int *fd);
