using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Playwright;

namespace ChatBackend.Tests.Features.Chat;

/// <summary>A Docusaurus page on http://localhost:3000 that asks this service, in Debian's Chromium.</summary>
public sealed class BrowserTests
{
    // What a page does: POST with fetch for JSON and for a stream, then EventSource on the same turn, to its end.
    private const string Script =
        """
        async address => {
            const ask = accept => fetch(`${address}chat`, {
                method: 'POST',
                headers: { 'content-type': 'application/json', 'accept': accept, 'idempotency-key': crypto.randomUUID() },
                body: JSON.stringify({ message: 'How do two ROS 2 nodes talk over topics?' }),
            });
            const json = await (await ask('application/json')).json();

            const reader = (await ask('text/event-stream')).body.pipeThrough(new TextDecoderStream()).getReader();
            let streamed = '';
            for (let part; !(part = await reader.read()).done;) streamed += part.value;

            const names = [];
            let text = '', opened = 0;
            await new Promise((resolve, reject) => {
                const source = new EventSource(`${address}chat/turns/${json.turn_id}/events`);
                source.onopen = () => opened++;
                // After the last event the browser comes back by itself, and is told to stop (204).
                source.onerror = () => { if (source.readyState === EventSource.CLOSED) resolve(); };
                for (const name of ['turn', 'citations', 'delta', 'completed'])
                    source.addEventListener(name, event => {
                        names.push(name);
                        if (name === 'delta') text += JSON.parse(event.data).text;
                    });
                setTimeout(() => reject(new Error(`The EventSource did not end after ${names}`)), 120000);
            });
            const problem = await (await fetch(`${address}chat`, { method: 'POST', body: '{', headers: { 'content-type': 'application/json' } })).json();
            return [json.response, json.citations[0].url, streamed, names.join(' '), text, String(opened), problem.code];
        }
        """;

    [Fact]
    public async Task A_page_reads_JSON_a_stream_and_an_EventSource()
    {
        Chromium.SkipWhereThereIsNone();

        await using var app = new ChatApp { ["FRONTEND_URL"] = "https://book.example.org" };
        await app.InitializeAsync();
        app.Model.Answer("Over topics [1].").Answer("Over topics [1].");
        await using var book = WebApplication.CreateSlimBuilder().Build();
        book.Urls.Add("http://127.0.0.1:0");
        book.MapGet("/docs/ros2/topics", () => Results.Content("<title>A book</title>", "text/html"));
        await book.StartAsync(TestContext.Current.CancellationToken);
        using var playwright = await Playwright.CreateAsync();
        // The page's address is Docusaurus' own, whatever port was free.
        await using var browser = await Chromium.LaunchAsync(playwright, $"--host-resolver-rules=MAP localhost:3000 {new Uri(book.Urls.Single()).Authority}");
        var page = await browser.NewPageAsync().PatientAsync();
        page.Console += (_, message) => TestContext.Current.TestOutputHelper!.WriteLine($"The browser's console: {message.Text}");
        await page.GotoAsync("http://localhost:3000/docs/ros2/topics");

        var seen = await page.EvaluateAsync<string[]>(Script, app.Address.AbsoluteUri);

        Assert.Equal("Over topics [1].", seen[0]);
        Assert.Equal("/docs/ros2/topics#how-nodes-talk", seen[1]);
        Assert.Matches("(?s)event: turn.*event: citations.*event: delta.*event: completed", seen[2]);
        Assert.Equal("turn citations delta completed", seen[3]);
        Assert.Equal("Over topics [1].", seen[4]);
        Assert.Equal("1", seen[5]);
        Assert.Equal("malformed_json", seen[6]);
    }
}
