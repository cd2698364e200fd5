"""Fetches a URL with a Scrapy spider: url."""

import sys

import scrapy
from scrapy.crawler import CrawlerProcess


class Spider(scrapy.Spider):
    name = "one"

    async def start(self):
        yield scrapy.Request(sys.argv[1], callback=self.parse, errback=self.failed)

    def parse(self, response):
        print(response.status, response.body, flush=True)

    def failed(self, failure):
        print("refused", failure.getErrorMessage(), flush=True)


settings = {"LOG_LEVEL": "DEBUG", "TELNETCONSOLE_ENABLED": False, "DOWNLOADER_CLIENT_TLS_VERBOSE_LOGGING": True}
process = CrawlerProcess(settings)
process.crawl(Spider)
process.start()
