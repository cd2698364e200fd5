char *CONF_get1_default_config_file(void);
