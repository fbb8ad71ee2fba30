using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text;
using ChatBackend.Tests.Infrastructure.Ai.OpenAi;

namespace ChatBackend.Tests.Features.Chat;

/// <summary>What an answer without end, and readers who do not read, cost the built program.</summary>
public sealed class AnswerLimitTests : IAsyncLifetime
{
    private const long MiB = 1024 * 1024;

    private ServiceWithModel _service = null!;

    public async ValueTask InitializeAsync() => _service = await ServiceWithModel.CreateAsync();

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Fact]
    public async Task Of_an_answer_of_100_MB_only_the_beginning_is_read_shown_and_stored()
    {
        await using var service = _service.Start();
        await service.WaitUntilReadyAsync();
        var idle = service.PeakMemory;
        _service.Model.Flood(StubOpenAi.TextEvent(new string('x', 64 * 1024)), times: 1600);

        var response = await service.Client.PostAsJsonAsync("/chat", new { message = "What is a node?" }, TestContext.Current.CancellationToken);
        var answer = await response.JsonAsync();

        Assert.Equal(new string('x', 16_000), answer.GetProperty("response").GetString());
        Assert.Equal("length", answer.GetProperty("finish_reason").GetString());
        Assert.True(answer.GetProperty("incomplete").GetBoolean());
        Assert.Equal(2000, _service.Model.Requests[0].Body.GetProperty("max_completion_tokens").GetInt32());
        Assert.Equal(16_000, await _service.ScalarAsync<int>("select octet_length(content) from messages where role = 'assistant'"));
        Assert.InRange(await _service.ScalarAsync<int>("select octet_length(response::text) from turns"), 16_000, 17_000);
        AssertGrowth(service, idle, 100);
    }

    [Theory]
    [InlineData(2_000, 150)]
    [InlineData(100_000, 250)]
    public async Task Two_hundred_readers_who_do_not_read_share_one_answer(int tokens, int most)
    {
        await using var service = _service.Start(("MODEL_MAX_OUTPUT_TOKENS", tokens.ToString()));
        await service.WaitUntilReadyAsync();
        var idle = service.PeakMemory;
        var words = string.Join(' ', Enumerable.Repeat(new string('x', 1_000), 8_000));
        var gate = _service.Model.AnswerInTwo("Half", words);
        using var asking = await AskAsync(service);
        using var stream = new EventStream(asking);
        var turn = (await stream.NextAsync())!.Data.GetProperty("turn_id").GetGuid();
        await gate.WhenReached;
        var readers = await Task.WhenAll(Enumerable.Range(0, 200).Select(_ => ReadNothingAsync(service, turn)));
        gate.Open();

        var events = await stream.AllAsync();

        var completed = events[^1].Data;
        Assert.Equal(("length", tokens * 8), (completed.GetProperty("finish_reason").GetString(), completed.GetProperty("response").GetString()!.Length));
        Assert.Equal(completed.GetProperty("response").GetString(), EventStream.Text(events));
        AssertGrowth(service, idle, most);
        foreach (var reader in readers)
            reader.Dispose();
    }

    /// <summary>The growth alone: what a process takes at its start depends on the machine, on its page size for one.</summary>
    private static void AssertGrowth(ServiceProcess service, long idle, int most)
    {
        var grown = service.PeakMemory - idle;
        TestContext.Current.TestOutputHelper?.WriteLine($"{idle / MiB} MiB at the start, {grown / MiB} MiB more");
        Assert.InRange(grown, 0, most * MiB);
    }

    private static Task<HttpResponseMessage> AskAsync(ServiceProcess service)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, "/chat") { Content = JsonContent.Create(new { message = "What is a node?" }), Headers = { { "Accept", "text/event-stream" } } };
        return service.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
    }

    /// <summary>A reader who has the stream's first bytes, and takes no more.</summary>
    private static async Task<TcpClient> ReadNothingAsync(ServiceProcess service, Guid turn)
    {
        var reader = new TcpClient { ReceiveBufferSize = 4 * 1024 };
        await reader.ConnectAsync("127.0.0.1", service.Client.BaseAddress!.Port, TestContext.Current.CancellationToken);
        await reader.GetStream().WriteAsync(
            Encoding.ASCII.GetBytes($"GET /chat/turns/{turn}/events HTTP/1.1\r\nHost: book\r\n\r\n"), TestContext.Current.CancellationToken);
        Assert.Equal((byte)'H', reader.GetStream().ReadByte());
        return reader;
    }
}
