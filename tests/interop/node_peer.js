// Node's tls as a peer: what ssl_peer.py is for Python's.
//
// node node_peer.js server '{"host": …, "folder": …}'   prints ACCEPT host:port
// node node_peer.js client '{"host": …, "port": …}'     fetches /path, or sends the file "upload"
"use strict";

const crypto = require("crypto");
const fs = require("fs");
const path = require("path");
const tls = require("tls");

const [role, written] = process.argv.slice(2);
const options = JSON.parse(written);

function credentials() {
    const read = (file) => file && fs.readFileSync(file);
    return {
        cert: read(options.certificate),
        key: read(options.private_key),
        ca: read(options.trust),
        ALPNProtocols: options.alpn.length ? options.alpn : undefined,
        ...(options.version && { minVersion: options.version, maxVersion: options.version }),
    };
}

// Calls onHead(lines) once, then onBody(chunk), for what comes over the socket.
function receive(socket, onHead, onBody) {
    let head = Buffer.alloc(0);
    socket.on("data", (chunk) => {
        if (head === null) return onBody(chunk);
        head = Buffer.concat([head, chunk]);
        const end = head.indexOf("\r\n\r\n");
        if (end < 0) return;
        const rest = head.subarray(end + 4);
        onHead(head.subarray(0, end).toString("latin1").split("\r\n"));
        head = null;
        if (rest.length) onBody(rest);
    });
}

function serve() {
    const server = tls.createServer({
        ...credentials(),
        requestCert: Boolean(options.trust),
        SNICallback: (name, done) => {
            const second = options.second && options.second.name === name;
            done(null, second ? tls.createSecureContext({
                cert: fs.readFileSync(options.second.certificate),
                key: fs.readFileSync(options.second.private_key),
            }) : null);
        },
    });
    server.on("tlsClientError", (error) => console.error(JSON.stringify({ refused: error.code })));
    server.on("secureConnection", (socket) => {
        const digest = crypto.createHash("sha256");
        let left = 0;
        const answerDigest = () => {
            if (left === 0) socket.end(`HTTP/1.0 200 OK\r\nContent-Length: 64\r\n\r\n${digest.digest("hex")}`);
        };
        console.error(JSON.stringify({
            version: socket.getProtocol(),
            cipher: socket.getCipher().standardName,
            alpn: socket.alpnProtocol,
            sni: socket.servername,
            reused: socket.isSessionReused(),
            authorized: socket.authorized,
        }));
        socket.on("error", (error) => console.error(JSON.stringify({ broken: error.code })));
        receive(socket, (lines) => {
            const [method, target] = lines[0].split(" ");
            if (method === "GET") {
                const file = path.join(options.folder, target);
                socket.write(`HTTP/1.0 200 OK\r\nContent-Length: ${fs.statSync(file).size}\r\n\r\n`);
                fs.createReadStream(file).pipe(socket);
            } else {
                left = Number(lines.find((line) => line.startsWith("Content-Length: ")).slice(16));
                answerDigest();
            }
        }, (chunk) => {
            digest.update(chunk);
            left -= chunk.length;
            answerDigest();
        });
    });
    server.listen(0, options.host, () => console.log(`ACCEPT ${options.host}:${server.address().port}`));
}

function visit(times, session) {
    const byName = !require("net").isIP(options.server_name);
    const socket = tls.connect({
        ...credentials(),
        host: options.host,
        port: options.port,
        session,
        ...(byName && { servername: options.server_name }),
    });
    let newest;
    socket.on("session", (ticket) => { newest = ticket; });
    socket.on("secureConnect", () => {
        if (options.upload) {
            socket.write(`PUT /${options.path} HTTP/1.0\r\nContent-Length: ${fs.statSync(options.upload).size}\r\n\r\n`);
            fs.createReadStream(options.upload).pipe(socket, { end: false });
        } else {
            socket.write(`GET /${options.path} HTTP/1.0\r\n\r\n`);
        }
    });
    receive(socket, () => {}, (chunk) => process.stdout.write(chunk));
    socket.on("error", (error) => {
        console.error(error);
        process.exitCode = 1;
    });
    socket.on("end", () => {
        console.error(JSON.stringify({ version: socket.getProtocol(), reused: socket.isSessionReused() }));
    });
    socket.on("close", () => {
        if (times > 1 && !process.exitCode) visit(times - 1, newest);
    });
}

if (role === "server") serve();
else visit(options.times);
