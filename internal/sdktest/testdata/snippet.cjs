// Prints the official snippet: node snippet.cjs <host> <write key> <options of load>
'use strict'

const snippet = require('snippet')

const [host, apiKey, options] = process.argv.slice(2)
console.log(`<script>${snippet.min({ host, apiKey, page: true, load: options ? JSON.parse(options) : true })}</script>`)
