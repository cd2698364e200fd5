void DH_free(DH *dh);
