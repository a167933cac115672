// A server with the fixtures of the official conformance suite (revision 2025-11-25), over streamable HTTP.
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { McpServer, ResourceTemplate } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { SubscribeRequestSchema, UnsubscribeRequestSchema, SetLevelRequestSchema, ElicitResultSchema, CompleteRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';

const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==';
const WAV = 'UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=';
const text = (text) => ({ type: 'text', text });
const said = (words) => ({ content: [text(words)] });
const pause = () => new Promise((go) => setTimeout(go, 50));
const embedded = (uri, mimeType, words) => ({ type: 'resource', resource: { uri, mimeType, text: words } });

function make() {
  const server = new McpServer({ name: 'fixture', version: '1' }, { capabilities: { logging: {}, completions: {}, resources: { subscribe: true, listChanged: true }, tools: { listChanged: true }, prompts: { listChanged: true } } });
  const tool = (name, run, inputSchema = {}) => server.registerTool(name, { description: `Fixture ${name}`, inputSchema }, run);
  tool('test_simple_text', () => said('This is a simple text response for testing.'));
  tool('test_image_content', () => ({ content: [{ type: 'image', data: PNG, mimeType: 'image/png' }] }));
  tool('test_audio_content', () => ({ content: [{ type: 'audio', data: WAV, mimeType: 'audio/wav' }] }));
  tool('test_embedded_resource', () => ({ content: [embedded('test://embedded-resource', 'text/plain', 'This is an embedded resource content.')] }));
  tool('test_multiple_content_types', () => ({ content: [text('Multiple content types test:'), { type: 'image', data: PNG, mimeType: 'image/png' }, embedded('test://mixed-content-resource', 'application/json', '{"test":"data","value":123}')] }));
  tool('test_tool_with_logging', async (_, extra) => {
    for (const data of ['Tool execution started', 'Tool processing data', 'Tool execution completed']) {
      await extra.sendNotification({ method: 'notifications/message', params: { level: 'info', data } });
      await pause();
    }
    return said('done');
  });
  tool('test_error_handling', () => ({ isError: true, content: [text('This tool intentionally returns an error for testing')] }));
  tool('test_tool_with_progress', async (_, extra) => {
    const progressToken = extra._meta?.progressToken;
    for (const progress of [0, 50, 100]) {
      if (progressToken !== undefined) await extra.sendNotification({ method: 'notifications/progress', params: { progressToken, progress, total: 100 } });
      await pause();
    }
    return said('done');
  });
  tool('test_sampling', async ({ prompt }) => {
    const answer = await server.server.createMessage({ messages: [{ role: 'user', content: text(prompt) }], maxTokens: 100 });
    return said(`LLM response: ${answer.content.text}`);
  }, { prompt: z.string() });
  const elicit = async (extra, params) => extra.sendRequest({ method: 'elicitation/create', params }, ElicitResultSchema);
  tool('test_elicitation', async ({ message }, extra) => {
    const answer = await elicit(extra, { message, requestedSchema: { type: 'object', properties: { username: { type: 'string', description: "User's response" }, email: { type: 'string', description: "User's email address" } }, required: ['username', 'email'] } });
    return said(`User response: action: ${answer.action}, content: ${JSON.stringify(answer.content)}`);
  }, { message: z.string() });
  const completed = (answer) => said(`Elicitation completed: action=${answer.action}, content=${JSON.stringify(answer.content)}`);
  tool('test_elicitation_sep1034_defaults', async (_, extra) => completed(await elicit(extra, { message: 'Please review', requestedSchema: { type: 'object', properties: {
    name: { type: 'string', default: 'John Doe' }, age: { type: 'integer', default: 30 }, score: { type: 'number', default: 95.5 },
    status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' }, verified: { type: 'boolean', default: true } }, required: [] } })));
  const titled = (word, count) => Array.from({ length: count }, (_, i) => ({ const: `value${i + 1}`, title: `${['First', 'Second', 'Third'][i]} ${word}` }));
  tool('test_elicitation_sep1330_enums', async (_, extra) => completed(await elicit(extra, { message: 'Please choose', requestedSchema: { type: 'object', properties: {
    untitledSingle: { type: 'string', enum: ['option1', 'option2', 'option3'] }, titledSingle: { type: 'string', oneOf: titled('Option', 3) },
    legacyEnum: { type: 'string', enum: ['opt1', 'opt2', 'opt3'], enumNames: ['Option One', 'Option Two', 'Option Three'] },
    untitledMulti: { type: 'array', items: { type: 'string', enum: ['option1', 'option2', 'option3'] } }, titledMulti: { type: 'array', items: { anyOf: titled('Choice', 3) } } }, required: [] } })));

  const resource = (name, uri, mimeType, contents) => server.registerResource(name, uri, { description: `Fixture ${name}`, mimeType }, (at, more) => ({ contents: [{ uri: at.href, mimeType, ...contents(more) }] }));
  resource('static-text', 'test://static-text', 'text/plain', () => ({ text: 'This is the content of the static text resource.' }));
  resource('static-binary', 'test://static-binary', 'image/png', () => ({ blob: PNG }));
  resource('watched', 'test://watched-resource', 'text/plain', () => ({ text: 'Watched.' }));
  resource('template', new ResourceTemplate('test://template/{id}/data', { list: undefined }), 'application/json', ({ id }) => ({ text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }) }));

  const prompt = (name, argsSchema, messages) => server.registerPrompt(name, { description: `Fixture ${name}`, argsSchema }, (given) => ({ messages: messages(given).map((content) => ({ role: 'user', content })) }));
  prompt('test_simple_prompt', undefined, () => [text('This is a simple prompt for testing.')]);
  prompt('test_prompt_with_arguments', { arg1: z.string().describe('First test argument'), arg2: z.string().describe('Second test argument') }, ({ arg1, arg2 }) => [text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)]);
  prompt('test_prompt_with_embedded_resource', { resourceUri: z.string().describe('URI of the resource to embed') }, ({ resourceUri }) => [embedded(resourceUri, 'text/plain', 'Embedded resource content for testing.'), text('Please process the embedded resource above.')]);
  prompt('test_prompt_with_image', undefined, () => [{ type: 'image', data: PNG, mimeType: 'image/png' }, text('Please analyze the image above.')]);

  server.server.setRequestHandler(SubscribeRequestSchema, () => ({}));
  server.server.setRequestHandler(UnsubscribeRequestSchema, () => ({}));
  server.server.setRequestHandler(SetLevelRequestSchema, () => ({}));
  server.server.setRequestHandler(CompleteRequestSchema, () => ({ completion: { values: ['paris', 'park', 'party'], total: 3, hasMore: false } }));
  return server;
}

const sessions = new Map();
const loopback = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/;
createServer(async (request, response) => {
  const origin = request.headers.origin && new URL(request.headers.origin).host;
  if (!loopback.test(request.headers.host ?? '') || (origin && !loopback.test(origin))) return response.writeHead(403).end();
  const known = sessions.get(request.headers['mcp-session-id']);
  if (known) return known.handleRequest(request, response);
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: randomUUID, onsessioninitialized: (id) => sessions.set(id, transport) });
  await make().connect(transport);
  await transport.handleRequest(request, response);
}).listen(Number(process.env.PORT ?? 0), '127.0.0.1', function () {
  console.log(JSON.stringify({ origin: `http://127.0.0.1:${this.address().port}` }));
});
