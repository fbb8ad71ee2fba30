using System.Text.Json;
using ChatBackend.Tests.Infrastructure.Docusaurus;

namespace ChatBackend.Tests.Features.Chat.Mcp;

/// <summary>The official clients of npm: version 1, which begins with initialize, and version 2, whose requests stand by themselves.</summary>
public sealed class McpClientTests(ChatApp app) : IClassFixture<ChatApp>
{
    private const string First = """
        import { Client } from '@modelcontextprotocol/sdk/client/index.js';
        import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

        """;

    private const string Second = """
        import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

        """;

    private const string Script = """
        const client = new Client({ name: 'test', version: '1.0.0' }, { versionNegotiation: { mode: 'auto' } });
        await client.connect(new StreamableHTTPClientTransport(new URL(process.argv[2])));
        const { tools } = await client.listTools();
        const found = await client.callTool({ name: 'search_book', arguments: { query: 'how do nodes talk', limit: 1 } });
        const refused = await client.callTool({ name: 'search_book', arguments: { query: 'nodes', limit: 99 } });
        const answer = await client.callTool({ name: 'ask_book', arguments: { question: 'How do nodes talk?' } });
        const { resources } = await client.listResources();
        const page = await client.readResource({ uri: resources[0].uri });
        const missing = await client.readResource({ uri: 'book:///nowhere.md' }).then(() => null, error => error.code);
        console.log(JSON.stringify({ server: client.getServerVersion()?.name, tools: tools.map(tool => tool.name), found, refused, answer, resources, page, missing, version: client.getNegotiatedProtocolVersion?.() }));
        await client.close();
        """;

    [Theory]
    [InlineData("@modelcontextprotocol/sdk@1.32.2", First, null)]
    [InlineData("@modelcontextprotocol/client@2.4.0", Second, "2026-07-28")]
    public async Task The_official_client_lists_and_calls_the_tools_and_reads_the_pages(string package, string imports, string? version)
    {
        app.Model.Answer("Over topics [1].");

        var seen = JsonElement.Parse(Assert.Single(await NpmPackages.RunAsync([package], imports + Script, [$"{app.Address}mcp"])));

        Assert.Equal("chatbackend", seen.GetProperty("server").GetString());
        Assert.Equal(["search_book", "ask_book"], seen.GetProperty("tools").EnumerateArray().Select(t => t.GetString()));
        Assert.Equal("How nodes talk", seen.GetProperty("found").GetProperty("structuredContent").GetProperty("passages")[0].GetProperty("heading").GetString());
        Assert.True(seen.GetProperty("refused").GetProperty("isError").GetBoolean());
        Assert.Equal("Over topics [1].", seen.GetProperty("answer").GetProperty("structuredContent").GetProperty("answer").GetString());
        Assert.Equal(4, seen.GetProperty("resources").GetArrayLength());
        Assert.StartsWith("# Balance", seen.GetProperty("page").GetProperty("contents")[0].GetProperty("text").GetString());
        Assert.Equal(version, seen.TryGetProperty("version", out var negotiated) ? negotiated.GetString() : null);
        Assert.NotEqual(JsonValueKind.Null, seen.GetProperty("missing").ValueKind);
    }
}
